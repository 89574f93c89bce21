"""``psf.h5``: point spread functions over field and colour.

In reading order:

- ``figures``   figures of merit, stored with the functions
- ``bank``      ``psf.h5`` itself
- ``lateral_colour``  displacement of the functions from the chief ray, and its effect on a white scene
- ``ensemble``  a folder of banks, one for each lens drawn by tolerancing
"""
