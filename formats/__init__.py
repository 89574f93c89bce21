"""Files exchanged between the stages: records, guarded readers and atomic writers, one folder per kind of file.

In reading order:

- ``files``       what all of them share: errors, guarded TOML and HDF5, atomic writes
- ``camera``      ``lens.toml`` and the files that it names
- ``meta_atoms``  ``library.h5``: complex transmission of meta-atoms
- ``psf``         ``psf.h5``: point spread functions over field and colour
- ``design``      ``design.toml`` and ``tolerances.toml``
- ``pictures``    photographs and captures, as pictures and as light
- ``captures``    raw frames of a real camera
- ``pairs``       ``pairs/``: the training set
- ``hub``         pairs, adapters and photographs on the model hub
- ``pages``       pages and reports as text, from templates
- ``drawing``     drawings of a ``psf.h5`` and a ``library.h5``, with the house style of all figures

Nothing here imports jax or torch.
"""
