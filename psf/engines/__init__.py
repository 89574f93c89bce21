"""The engines: from a lens and the light to the intensity on a window of the sensor.

Files, in reading order:

- ``image_window``        samples of the sensor for which an engine computes
- ``incoming``            the light that a function is a share of
- ``phasor``              exp(2πic), fast
- ``grid``                uniform grids: how fine and how large
- ``angular_spectrum``    the engine for every lens: one transfer function and one FFT for a PSF
- ``sampling``            how finely the next one has to compute
- ``direction_cosine``    the engine for smooth phases: a few matrix products for a tile, however large the lens
- ``rayleigh_sommerfeld`` the reference engine, in float64
- ``pixels``              from samples of an intensity to the energy of pixels
- ``choice``              which engine is taken, and why
- ``field_batch``         fields and wavelengths together, compiled
"""
