"""Tolerancing: what errors of fabrication and assembly make of a lens, drawn at random."""
