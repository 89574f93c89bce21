"""``psf.h5``: point spread functions over field and colour.

In reading order:

- ``figures``   figures of merit, stored with the functions
- ``bank``      the functions of a camera, with their figures, as a record
- ``bank_file``  ``psf.h5``: that record as a file
- ``lateral_colour``  displacement of the functions from the chief ray, and its effect on a white scene
- ``ensemble``  a folder of banks, one for each lens drawn by tolerancing
"""
