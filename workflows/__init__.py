"""Roads of several stages. Each stage is a command that a user could type, in a process of its own.

In reading order:

- ``command``       one command, run and measured
- ``bench_inputs``  point spread functions, pairs and captures that a benchmark was not given
- ``demo``          the whole road once
"""
