"""Tolerancing: what errors of fabrication and assembly make of a lens, drawn at random.

Files, in reading order:

- ``draws``  lenses as they may come out: numbers from the errors' distributions, and the lens with them
"""

from metalens.psf.tolerance.draws import Assembly, Draw, draw_samples, drawn_camera, drawn_numbers, perturbed, stacked

__all__ = ["Assembly", "Draw", "draw_samples", "drawn_camera", "drawn_numbers", "perturbed", "stacked"]
