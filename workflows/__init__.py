"""Workflows: the functions of the front door, and sequences of several commands.

Functions that ``import metalens`` offers:

- ``design``        a specification to a lens
- ``capture``       one photograph taken by a camera
- ``training_set``  photographs and point spread functions to pairs
- ``training``      pairs to an adapter

Sequences of stages. Each stage is a normal command in a process of its own:

- ``command``       one command, run and measured
- ``bench_inputs``  generation of a benchmark's missing inputs
- ``demo``          the whole pipeline once
- ``compare``       a folder: lenses compared by their restored photographs

Beside the stages:

- ``estimate``              what a run will take, from a short measurement
- ``simulation_estimates``  of point spread functions, pairs, drawn lenses, libraries, designs and layouts
- ``restorer_estimates``    of training, restoring, reports and benchmarks
- ``machine_speed``         how fast this machine is, for estimates of what is too large to begin
- ``banks``           the psf.h5 of a camera, simulated once and kept
- ``layout_files``    the files of a structure, with their figures
- ``starting_files``  commented files to begin with
- ``doctor``          what an installation has, and what is slow on a machine
"""
