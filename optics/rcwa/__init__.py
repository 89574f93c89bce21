"""Rigorous coupled-wave analysis: libraries of meta-atoms from their shape and their materials."""
