"""The jobs of ``benchmarks/driver.py``, a module a stage; each has ``JOBS``: name → :class:`measuring.job.Job`.

- ``start``   imports, help, and a first simulation by the command line
- ``optics``  point spread functions: one call, batches, banks
- ``design``  steps of inverse design
"""

MODULES = ("start", "optics", "design")
