"""Photographs and captures as picture files, and their conversion to linear light.

In reading order:

- ``pictures``        reading and writing 8-bit sRGB
- ``light``           photographs as linear light: 8 and 16 bits, OpenEXR
- ``metadata``        what a camera says of its picture
- ``picture_output``  writing of floats: PNG and TIFF of 8 and 16 bits, OpenEXR
- ``colour_profile``  embedded ICC profiles, in floats
- ``distortion``      a camera's distortion, and pictures without it
- ``bayer``           colours of the Bayer pattern, and demosaicing with borders
- ``demosaicing``     the three demosaicing methods
- ``encoding``        encoding of light in a camera's pictures, and its inverse
- ``defective_pixels``  hot and dead pixels, found and filled
- ``photograph_statistics``  cross-spectral density of the colours of photographs
- ``scene``           sRGB and linear light; rectangles of a photograph
- ``resizing``        cutting and resizing photographs in linear light, part by part
"""
