"""Specifications of designs and tolerances: ``design.toml`` and ``tolerances.toml``.

In reading order:

- ``variables``       free parameters of a lens
- ``objectives``      objectives of a design
- ``spec``            the complete ``design.toml``; ``designs/`` holds the shipped ones
- ``tolerance_spec``  ``tolerances.toml``: distributions of errors, and limits of the figures of merit
- ``tolerance_run``   a folder of tolerancing, one line of JSON per lens
"""
