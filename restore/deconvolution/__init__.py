"""Restoration by linear optics alone: the baselines that need no training, and the blur that they invert.

In reading order:

- ``lateral_warp``  lateral colour taken out and put back
- ``captured_light``  a captured picture as light, and restored light as a picture
- ``wiener``       Wiener deconvolution, whole and in tiles
- ``node_windows``  a filter for each node, in the window where it has weight
- ``unseen_colour``  colours of the rim that land beyond the frame, told by the others
- ``joint_wiener``  Wiener deconvolution over all colours together
- ``linear_estimates``  the joint filter at several noise scales, as input of a network
- ``scene_blocks``  how a scene is cut into blocks that are blurred alone
- ``local_blur``   the camera's blur as a linear operator with its adjoint
- ``most_probable``  the scene given capture, expectation and their errors
- ``consistency``  whether a restored picture, blurred again, is the capture
"""
