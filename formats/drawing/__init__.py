"""Drawing what a ``psf.h5`` holds: the house style of all pictures, and the two that reports and simulations share.

Files, in reading order:

- ``style``      fonts, colours and channel marks of every figure, and how one is saved
- ``scale``      round lengths, scale bars, micrometres as text
- ``field``      which nodes a picture shows, and how their places are labelled
- ``psf_map``    the point spread functions over the field, in colour or of one channel
- ``field_map``  figures of merit of each channel over the field
- ``contact_sheet``  pairs side by side, and where on the sensor they lie
- ``library_map``  a library of meta-atoms: transmission, phase, coverage, angles

Here, and not in ``psf``, because a restorer's report shows them too and knows no simulation. It is imported where a
picture is asked for, and not before: matplotlib is slow to import.
"""
