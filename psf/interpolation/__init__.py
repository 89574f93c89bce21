"""Functions of a bank between its nodes, and the error of that.

In reading order:

- ``functions``       functions of any bank at any position on the sensor
- ``linear_weights``  weights between the nodes of a grid or of scattered nodes
- ``radius``          functions of a symmetric lens at any position, from those along a radius
- ``rotation``        rotation of a function about its centre
- ``natural_scenes``  error of a blurred natural scene from errors of the functions
- ``node_error``      that error for the nodes of a bank, estimated from the nodes alone
- ``held_out``        that error, measured by functions that were simulated between the nodes
"""
