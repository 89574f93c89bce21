"""Lenses compared by their restored photographs; each step is a command or a benchmark of its own.

In reading order:

- ``lenses``       the lenses: one sensor, one name each
- ``photographs``  training and test photographs, by their SHA-256
- ``terms``        what is equal for all lenses
- ``step``         one step, kept under the hash of all that it depends on
- ``stages``       the steps of one lens: bank, pairs, captures, baselines, restorer, tolerances
- ``run``          all lenses, one after the other; a failed one ends no other
- ``estimate``     time and size of what is still to be done
- ``summary``      all figures; ``tables`` and ``page`` show them
"""
