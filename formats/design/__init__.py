"""Specifications of designs and tolerances: ``design.toml`` and ``tolerances.toml``.

In reading order:

- ``variables``       free parameters of a lens
- ``objectives``      objectives of a design
- ``exploration``     the table [explore] of a ``design.toml``: architectures to search among
- ``spec``            the complete ``design.toml``; ``designs/`` holds the shipped ones
- ``exploration_run`` a folder of an exploration, one line of JSON per candidate
- ``tolerance_spec``  ``tolerances.toml``: distributions of errors, and limits of the figures of merit
- ``tolerance_run``   a folder of tolerancing, one line of JSON per lens
"""
