"""Tolerancing: Monte Carlo simulation of fabrication and assembly errors of a lens.

Files, in reading order:

- ``draws``        random errors from their distributions, and the lens with them
- ``evaluation``   point spread functions and figures of merit of a draw, compiled once for all draws
- ``monte_carlo``  many drawn lenses, resumable
- ``sensitivity``  which errors matter: shares of the variance
- ``summary``      distributions, yield, ranking and the worst lens, as JSON and CSV
- ``pictures``     distributions and ranking as pictures
- ``report``       writes the results into a folder
- ``ensemble``     whole banks of drawn lenses, to train with
"""

from metalens.psf.tolerance.draws import Assembly, Draw, draw_samples, drawn_camera, drawn_numbers, perturbed, stacked
from metalens.psf.tolerance.evaluation import simulate_draw

__all__ = [
    "Assembly",
    "Draw",
    "draw_samples",
    "drawn_camera",
    "drawn_numbers",
    "perturbed",
    "simulate_draw",
    "stacked",
]
