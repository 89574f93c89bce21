"""What strings stages together: the jobs of the front door, and roads of several commands.

The jobs, which ``import metalens`` offers:

- ``design``        a specification to a lens
- ``training_set``  photographs and point spread functions to pairs
- ``training``      pairs to an adapter

Roads of several stages. Each stage is a command that a user could type, in a process of its own:

- ``command``       one command, run and measured
- ``bench_inputs``  point spread functions, pairs and captures that a benchmark was not given
- ``demo``          the whole road once
"""
