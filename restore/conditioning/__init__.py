"""What the restorer is told of a capture's degradation, place by place.

In reading order:

- ``quality``          the no-reference quality map (PIQE, MUSIQ)
- ``degradation_map``  FWHM and quality over the frame, on crops too: the input of SVDA
- ``lens_maps``        the FWHM map of each camera of a training
"""
