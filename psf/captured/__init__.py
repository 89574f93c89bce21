"""Measured point spread functions, and fits of the lens to them.

Files, in reading order:

- ``noise``                background, strength of noise, and negative samples
- ``registration``         shifts of a fraction of a sample
- ``captures``             a bank from captures of a pinhole
- ``fit_model``            model of a lens with small alignment and width errors
- ``variable_projection``  least squares with factors and shifts of each image eliminated
- ``fit``                  fit of the parameters of that lens
"""
