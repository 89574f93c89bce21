"""Propagation methods: from the lens and the incident light to the intensity in a window of the sensor.

Files, in reading order:

- ``image_window``        samples of the sensor at which the PSF is computed
- ``incoming``            incident energy, to which PSFs are normalised
- ``phasor``              exp(2πic), fast
- ``grid``                sampling and size of uniform grids
- ``backpropagation``     what is kept for the gradient
- ``band``                Fourier transforms of the lit samples, kept frequencies and window alone
- ``flat_cells``          the field behind flat pixels, hexagons and rings, computed on a finer grid
- ``angular_spectrum``    for every lens: one transfer function and one FFT per PSF
- ``sampling``            sampling of the next one
- ``direction_cosine``    for smooth phases: a few matrix products per tile, for any size of lens
- ``vectorial``           all components of the field, for high numerical apertures
- ``rayleigh_sommerfeld`` the reference, in float64
- ``veil``                light of orders that do not form the image
- ``pixels``              integration of sampled intensities over pixels
- ``cost``                estimated time of a function by each engine
- ``levels``              a few samplings for the functions of a batch
- ``choice``              choice of the engine, with the reason
- ``field_batch``         fields and wavelengths together, compiled
"""
