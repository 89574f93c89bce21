"""Conditioning of the restorer: the degradation of a capture over the field.

In reading order:

- ``quality``          the no-reference quality map (PIQE, MUSIQ)
- ``degradation_map``  FWHM and quality over the frame or a crop: the input of SVDA
- ``lens_maps``        the FWHM maps of the cameras in a training
"""
