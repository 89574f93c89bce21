"""Files for fabrication and for ray tracers, written from a structure and read back.

Files, in reading order:

- ``layers``        which layer of a layout holds what
- ``hierarchy``     cells that refer to each other, and all that they draw
- ``matching``      outlines as meta-atoms of a library
- ``outlines``      a meta-atom as a polygon, and its lengths from a polygon
- ``marks``         boundary, alignment marks and label
- ``mask``          GDSII and OASIS files of a structure
- ``gds_cells``     the cells of a GDSII file
- ``oasis_cells``   the cells of an OASIS file
- ``isolated``      the process of its own that reads those
- ``reading``       the meta-atoms of either
- ``lattice``       the lattice that positions lie on
- ``recognition``   a structure from meta-atoms at places
- ``sites_table``   CSV files of sites
- ``width_map``     maps of radii and widths
- ``ray_tracing``   radial phases and Binary 2 surfaces
- ``zmx_surfaces``  refractive surfaces of lens files of OpticStudio
- ``zmx``           lens files of OpticStudio with a Binary 2 surface
- ``chosen``        the structure of a camera that is exported
- ``as_made``       the camera that an imported file describes
- ``phase_difference``  how far that lens is from the one it is said to be like

The gdstk package is imported where it is used.
"""
