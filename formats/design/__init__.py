"""What a lens is designed for and how far it may come out: ``design.toml`` and ``tolerances.toml``.

In reading order:

- ``variables``       which parameters of a lens are free
- ``objectives``      what counts as good
- ``spec``            ``design.toml`` whole; ``designs/`` holds those that are shipped
- ``tolerance_spec``  ``tolerances.toml``: distributions of errors, and what a good lens has to reach
- ``tolerance_run``   a folder of tolerancing, a line of JSON a lens
"""
