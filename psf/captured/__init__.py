"""Point spread functions that were measured, and what they tell about the lens.

Files, in reading order:

- ``noise``                background, strength of noise, and negative samples
- ``registration``         shifts of a fraction of a sample
- ``captures``             a bank from captures of a pinhole
- ``fit_model``            a lens whose place and structure are a little wrong
- ``variable_projection``  least squares without the numbers of single images
- ``fit``                  what the numbers of that lens are
"""
