"""Basis of all file formats: errors, guarded readers, atomic writes.

In reading order:

- ``errors``        the error for invalid input
- ``arguments``     kinds of the numbers that a caller gives in Python
- ``extras``        optional packages, and the extra that installs each
- ``input_file``    checks of input paths
- ``text_file``     tables of numbers that other programs wrote
- ``foreign_text``  text from files, made safe for printing
- ``schema_version``  what to do about a file of another version
- ``record``        strict records of the tables of TOML files
- ``toml_file``     guarded reading of TOML files, and the shipped ones
- ``schema_keys``     the keys of a table, read off the record that checks it
- ``commented_toml``  TOML files with a comment at each key
- ``linked_file``   files that a TOML file names, with their SHA-256
- ``json_file``     guarded reading of JSON files
- ``json_lines``    files of one JSON object a line, to which a run appends
- ``npy_file``      guarded reading of arrays in NPY format
- ``quiet``         silence for libraries that print about damaged files
- ``hdf5``          guarded opening of HDF5 files
- ``atomic``        atomic writes: a file appears complete or not at all
- ``claim``         locks an output for one run, and checks the settings of a resumed run
- ``cache_folder``  the user's cache folder
- ``interruption``  Ctrl-C and SIGTERM, which stop a long computation between two steps
"""
