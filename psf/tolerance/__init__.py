"""Tolerancing: what errors of fabrication and assembly make of a lens, drawn at random.

Files, in reading order:

- ``draws``        lenses as they may come out: numbers from the errors' distributions, and the lens with them
- ``evaluation``   what a drawn lens shows: functions and figures of merit, compiled once for all draws
- ``monte_carlo``  many drawn lenses, resumable
- ``sensitivity``  which errors matter: shares of the variance
- ``summary``      distributions, yield, ranking and the worst lens, as JSON and CSV
- ``pictures``     distributions and ranking as pictures
- ``report``       the folder of all that
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
