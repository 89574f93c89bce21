"""``library.h5``: complex transmission of meta-atoms, and the files from which such a library is made.

In reading order:

- ``polygon``   polygons without holes: area, crossings, the cell of a site
- ``shapes``    cross-sections: their lengths and outlines, and families of them
- ``feature_size``  smallest feature and gap of a cross-section
- ``families``  a family and lengths for each meta-atom of a table
- ``family_file``  families in HDF5 files
- ``library``   complex transmission over geometry, wavelength, angle and polarisation; ``libraries/`` holds those
  shipped
- ``energy``    samples that send on more power than they receive
- ``coverage``  phase range and amplitudes of a library
- ``spec``      the specification of a library that is to be computed
- ``columns``   meaning of the columns of another program's table
- ``touchstone``  S-parameters of two ports
- ``samples``   samples of transmission in other programs' files: CSV, HDF5, Touchstone
- ``table``     a library from such samples
- ``verification``  supercells of a lens' zones against a library
- ``whole_row``  the meta-atoms along a lens' diameter, computed together, against a library
"""
