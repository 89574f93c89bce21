"""The files that pass between the stages: their records, guarded readers and atomic writers.

In reading order:

- ``errors``          the one error for input that cannot be used
- ``record``          what the tables of ``lens.toml`` have in common
- ``toml_file``       guarded reading of TOML files, whose tables these are
- ``phase_map``       guarded reading of freeform phases: CSV, NPY, HDF5
- ``atom_library``    ``library.h5``: what meta-atoms do to light; ``libraries/`` holds those that are shipped
- ``library_coverage``  the phases and amplitudes that one offers
- ``library_spec``    the specification of one to be computed
- ``library_samples`` samples of transmissions in others' files
- ``library_table``   a library from these
- ``lens_phase``      its ``[lens.phase]`` table: a record a family
- ``lens_parts``      what else a lens has: opening, stop, plates, response, meta-atoms
- ``lens_structure``  its tables of meta-atoms at sites or by radius
- ``lens``            its ``[lens]`` table, of these
- ``sensor``          its ``[sensor]`` table; ``sensor_noise`` is the noise that it means
- ``picture_encoding``  how a camera writes light into its pictures, and back
- ``sensor_preset``   ``sensor.toml``: what such a table may begin with; ``sensors/`` holds those that are shipped
- ``spectral_table``  tables over wavelength: sources, sensors, filters; ``spectra/`` holds those that are shipped
- ``spectrum``        its ``[spectrum]`` table
- ``camera``          ``lens.toml`` whole, and the presets
- ``tolerance_spec``  ``tolerances.toml``: how far lenses come out from their drawing
- ``tolerance_run``   a folder of tolerancing, a line of JSON a lens
- ``psf_figures``     figures of merit of point spread functions
- ``psf_bank``        ``psf.h5``: point spread functions over field and colour
- ``psf_ensemble``    a folder of ``psf.h5``, one for each drawn lens
- ``pairs``           ``pairs/``: reading clean and degraded pictures, shard by shard
- ``pairs_manifest``  what a folder of pairs holds
- ``pairs_shard``     one of its shards, as an HDF5 file
- ``pairs_writer``    writing it, one writer at a time, resumable
- ``pairs_verify``    whether it is whole
- ``pairs_merge``     several joined into one
- ``pairs_export``    in the forms that other trainers read
- ``neutral``         the target of the neutral path, which pairs hold beside the clean picture
- ``photograph_split``  which photographs train and which validate
- ``pictures``        reading and writing picture files
- ``raw_frames``      reading a sensor's numbers as they are
- ``flat_fields``     which of them are flat fields of one level of light
- ``capture_set``     ``captures.toml``: which of them show a pinhole where
- ``alignment_set``   ``captures.toml`` of a screen in front of a camera: which of them show what
- ``colour_profile``  embedded ICC profiles, in floats
- ``light``           photographs as linear light: 8 and 16 bits, OpenEXR
- ``scene``           from a photograph to the light on a sensor's grid
- ``structure``       ``structure.h5``: which meta-atom stands at each site of a lens
- ``design_variables``  what of a lens is free in a design
- ``design_objectives`` what counts as good in one
- ``design_spec``     ``design.toml``: what a lens is to be designed for; ``designs/`` holds those that are shipped
- ``drawing``         the folder of drawings of a ``psf.h5``, with the house style of all figures
- ``hdf5``            guarded opening of HDF5 files
- ``atomic``          outputs that appear whole or not at all
- ``interruption``    SIGTERM, which ends as Ctrl-C does

Nothing here imports jax or torch.
"""
