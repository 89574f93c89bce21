"""Figures of a ``psf.h5`` and a ``library.h5``, and the style of all figures.

Files, in reading order:

- ``style``      fonts, colours and channel marks of every figure, and how one is saved
- ``scale``      round lengths, scale bars, micrometres as text
- ``field``      choice and labels of the nodes in a figure
- ``psf_map``    the point spread functions over the field, in colour or of one channel
- ``field_map``  figures of merit of each channel over the field
- ``contact_sheet``  pairs side by side, and where on the sensor they lie
- ``library_map``  a library of meta-atoms: transmission, phase, coverage, angles
- ``verification``  share in the wanted order over radius, with neighbours and without
- ``whole_row``  line spread functions of a row of meta-atoms, with neighbours and without

Here, and not in ``psf``, because a restorer's report shows them too and knows no simulation. It is imported where a
picture is asked for, and not before: matplotlib is slow to import.
"""
