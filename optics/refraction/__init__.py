"""Refractive surfaces in front of a metalens and behind it: rays through them, and the light behind them.

In reading order:

- ``dispersion``       refractive index by wavelength
- ``surfaces``         refractive surfaces, and exact rays through them
- ``aimed_rays``       rays through the surfaces that meet given places
- ``disc_polynomial``  polynomials fitted to values on a disc
- ``refracted_light``  the light behind the surfaces, in the plane of the stop or lens
- ``check``            whether its rays come through and make one wavefront
- ``rear_rays``        rays from the stop through the metasurface and the surfaces behind it; the exit pupil
- ``structure_light``  what rays carry of meta-atoms
- ``exit_light``       the light in the plane of the exit pupil
- ``exit_check``       choice of this plane, and whether rays come through and make one wavefront
"""
