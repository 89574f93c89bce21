"""Photographs and captures as picture files, and what their numbers mean as light.

In reading order:

- ``pictures``        reading and writing 8-bit sRGB
- ``light``           photographs as linear light: 8 and 16 bits, OpenEXR
- ``colour_profile``  embedded ICC profiles, in floats
- ``encoding``        how a camera writes light into its pictures, and back
- ``photograph_statistics``  how the colours of photographs vary together, by frequency
- ``scene``           from a photograph to the light on a sensor's grid
"""
