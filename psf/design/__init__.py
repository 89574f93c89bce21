"""Inverse design: lenses from what their point spread functions should be."""
