"""Inverse design: from a specification to a lens, by gradients through the simulation.

Files, in reading order:

- ``contradictions``     what in a specification excludes something else in it, all at once
- ``problem``            a specification in metres and arrays
- ``variables``          free parameters of a phase: polynomials, Zernike polynomials, maps
- ``doublet_variables``  of two metasurfaces, the first in the plane of the stop
- ``geometry_variables`` free geometry of meta-atoms, through their library
- ``smallest_spots``   a start by geometrical optics: rays that land closest together
- ``starts``             lenses to begin with
- ``light``              the light of a lens at all fields and colours, errors of fabrication included
- ``objectives``         the figures of merit
- ``power_mean``         power means, from the mean to the worst value
- ``loss``               the loss function
- ``checkpoint``         the state of a search on disk
- ``whole_sensor``       whether a lens can be simulated on the whole sensor
- ``search``             trials of all starts, then Adam until convergence
- ``run``                the complete design: from a specification to a camera
- ``colour_contrast``    which colours a search gave up
- ``evaluation``         figures of merit of a camera at each field and colour
- ``comparison``         the hyperbolic lens of the same size
- ``pictures``           the figures of a report
- ``report``             the report
- ``architecture``   an architecture in numbers: the lens behind a stop, the envelope, the candidate's specification
- ``hybrid_architecture`` the same with refractive surfaces: rays through the glass, and the phase to begin with
- ``architecture_sampling`` which architectures are tried: a Sobol sequence, then steps from the Pareto front
- ``tolerance_estimate`` what errors of fabrication and assembly take from the restored picture
- ``candidate``      one candidate: search, check and figures
- ``exploration``    designs of many architectures, in parallel and resumable
- ``exploration_report`` their report and Pareto chart
"""

from metalens.psf.design.run import Design, design_lens, task_of

__all__ = ["Design", "design_lens", "task_of"]
