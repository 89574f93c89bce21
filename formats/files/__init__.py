"""What every file format here is read and written with: errors, guarded readers, atomic writes.

In reading order:

- ``errors``        the one error for input that cannot be used
- ``extras``        which extra of the installation brings a package that is missing
- ``input_file``    which paths are input at all
- ``text_file``     tables of numbers that other programs wrote
- ``foreign_text``  names that others chose, made fit to be printed
- ``record``        strict records of the tables of TOML files
- ``toml_file``     guarded reading of TOML files, and those that come with the package
- ``json_file``     guarded reading of JSON files
- ``hdf5``          guarded opening of HDF5 files
- ``atomic``        outputs that appear whole or not at all
- ``claim``         one run at a time in a place, and only the one that it was begun with
- ``interruption``  Ctrl-C and SIGTERM, which stop long work between two steps
"""
