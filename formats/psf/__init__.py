"""``psf.h5``: point spread functions over field and colour.

In reading order:

- ``figures``   figures of merit that stand beside the functions
- ``bank``      ``psf.h5`` itself
- ``lateral_colour``  where functions lie beside the chief ray, and what that does to a white scene
- ``ensemble``  a folder of them, one for each lens drawn by tolerancing
"""
