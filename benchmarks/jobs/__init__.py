"""The jobs of ``benchmarks/driver.py``, a module a stage; each has ``JOBS``: name → :class:`measuring.job.Job`.

- ``start``     imports, help, a first simulation and one restored picture by the command line
- ``optics``    point spread functions: one call, batches, banks
- ``design``    steps of inverse design
- ``pictures``  blur, one capture, one restoration, and another α of it
"""

MODULES = ("start", "optics", "design", "pictures")
