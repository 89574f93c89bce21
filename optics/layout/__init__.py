"""Files for fabrication and for ray tracers, written from a structure and read back."""
