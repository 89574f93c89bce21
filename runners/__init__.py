"""Work shared among processes: the same results wherever and by however many it is done.

In reading order:

- ``job``        a function by its name, called with JSON; what it answers
- ``processes``  processes started afresh, followed and ended
- ``worker``     the other end: a process that does jobs
- ``local``      jobs one after another here, or in processes of this machine
- ``clusters``   jobs on a Ray or Slurm cluster
- ``backend``    the choice among them
- ``compilation_cache``  what JAX has compiled, kept for later processes

A job is ``module:function``. Its spec and its result are JSON, so that they cross any border, and nothing is unpickled.
Workers are started afresh, as JAX does not survive a fork, and have one thread each, as sums in another order would
change the last bits.
"""
