"""``library.h5``: what meta-atoms do to light, and the files that such a library is made from.

In reading order:

- ``library``   complex transmission over geometry, wavelength, angle and polarisation; ``libraries/`` holds those
  shipped
- ``coverage``  the phases and amplitudes that a library offers
- ``spec``      the specification of a library that is to be computed
- ``columns``   which columns of somebody's table hold what
- ``touchstone``  S-parameters of two ports
- ``samples``   samples of transmission in other programs' files: CSV, HDF5, Touchstone
- ``table``     a library from these
"""
