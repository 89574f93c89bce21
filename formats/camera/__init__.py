"""``lens.toml``: the description of a metalens camera, and the files that it may name.

In reading order:

- ``camera``            the complete file; ``presets/`` holds the shipped cameras
- ``unknown``           the camera of pictures of which only the size is known
- ``changes``           a camera with some of its keys changed
- ``lens``              its ``[lens]`` table, made of these:
- ``size``              length, diameter, light-gathering area and depth of focus of a lens
- ``phase``             the ``[lens.phase]`` table, a record a family
- ``phase_map``         freeform phases in files of their own: CSV, NPY, HDF5
- ``parts``             opening, stop, plates, response, meta-atoms
- ``surfaces``          refractive surfaces in front and behind
- ``structure_tables``  meta-atoms at sites or by radius
- ``neighbours_table``  correction of the meta-atoms by their neighbours
- ``multiplexed``       the second phase of a lens for two polarisations
- ``structure``         ``structure.h5``: the meta-atom at each site of a lens
- ``sensor``            the ``[sensor]`` table, in the terms of EMVA 1288
- ``sensor_noise``      the noise that it means
- ``sensor_preset``     ``sensor.toml``, which a sensor may begin with; ``sensors/`` holds those that are shipped
- ``spectrum``          the ``[spectrum]`` table
- ``spectral_table``    tables over wavelength: sources, sensors, filters; ``spectra/`` holds those that are shipped
- ``design_wavelength``  that of the response, the phase or the green channel
"""
