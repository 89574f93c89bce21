"""Inverse design: from a specification to a lens, by gradients through the simulation.

Files, in reading order:

- ``problem``            a specification in metres and arrays; what contradicts itself is refused
- ``variables``          what is free: polynomials, Zernike polynomials, maps
- ``geometry_variables`` what is free: meta-atoms, through their library
- ``starts``             lenses to begin with
- ``light``              the light of a lens at all fields and colours, errors of fabrication included
- ``restoration_error``  the expected error of a picture, captured and restored
- ``objectives``         the figures of merit
- ``power_mean``         one number for many values, from their mean to the worst
- ``loss``               what the search minimises
- ``checkpoint``         the state of a search on disk
- ``search``             trials of all starts, then Adam until nothing is gained
- ``run``                all of it: a specification in, a camera out
- ``evaluation``         how good a camera is at each field and colour
- ``comparison``         the hyperbolic lens of the same size
- ``pictures``           the figures of a report
- ``report``             the report
"""

from metalens.psf.design.run import Design, design_lens, task_of

__all__ = ["Design", "design_lens", "task_of"]
