"""Figures of a bank of point spread functions, ready for publication.

Each function draws one :class:`matplotlib.figure.Figure` of a bank of any layout, simulated or measured.

Files, in reading order:

- ``places``             the axis, the zone and the edge of the field
- ``displacement``       centroids and lateral colour as arrows
- ``modulation``         modulation transfer over frequency
- ``by_wavelength``      Strehl ratio and the other figures over field and wavelength
- ``channel_spectrum``   the channels' weights over wavelength
- ``phase_profile``      the lens' phase over its radius, and its local period
- ``folder``             all figures, written to a folder

The point spread functions themselves and the maps of their figures over the field are drawn by
``metalens.formats.drawing``, which a restorer's report shares.
"""

from metalens.psf.pictures.folder import write_pictures

__all__ = ["write_pictures"]
