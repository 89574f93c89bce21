"""The commands: each parses, converts units, calls its stage and reports. ``metalens.cli`` loads them by name.

Commands, in the order of the stages, each in the module of its name:

- ``init``      a file with comments to start from
- ``library``   libraries of meta-atom responses: compute, import, show; a group
- ``design``    a lens for a specification
- ``explore``   the architecture of a camera, each candidate with a lens of its own
- ``psf``       point spread functions of a lens; a group whose default is to simulate them

  - ``psf_measured``  the same from captures
  - ``psf_fit``       defocus, tilt and other alignment errors of a lens from its PSFs

- ``verify``    zones of a lens with all neighbours, by supercells
- ``tolerance`` Monte Carlo analysis of fabrication and assembly errors
- ``export``    files for fabrication and for ray tracers

  - ``export_onnx``   a restorer as ONNX

- ``import_``   a camera from such a file, with the lens as drawn
- ``sensor``    calibration of a sensor from its frames; a group
- ``synth``     pairs of clean and captured pictures
- ``data``      maintenance of folders of pairs; a group

  - ``data_import``   pairs of folders of equally named pictures
  - ``data_score``    metrics of restored pictures
  - ``data_hub``      pairs to and from the model hub

- ``align``     pairs from captures of a screen; a group whose default is to make them

  - ``align_target``   the grid of dots to display
  - ``align_screens``  all pictures to display, and the list of captures

- ``train``     an adapter: the restorer of one camera
- ``pseudo``    more pairs: clean pictures degraded by the adapter
- ``restore``   captures to photographs

  - ``restore_by_filter``  the same without networks, by the joint Wiener filter
  - ``restored``           what both share: distortion, answer

- ``adapter``   adapters to and from the model hub; a group
- ``report``    a page that compares clean, captured and restored pictures
- ``bench``     every restoration method side by side
- ``compare``   lenses side by side, by their restored photographs
- ``pretrain``  a small prior
- ``app``       the stages in a browser
- ``demo``      the whole pipeline, once
- ``doctor``    what is installed, and what is slow here

What they share:

- ``options``        options that several commands take
- ``answer``         the result, as a sentence or as JSON
- ``plan``           the answer of a dry run: what would be done, and its cost
- ``progress``       progress bars on stderr
- ``new_file``       output files that one run has for itself
- ``bank``           the bank of ``--psf``
- ``ensemble``       the banks of a folder of lenses
- ``hub``            pull and push
- ``misuse``         wrong use of a command as a sentence
- ``default_group``  a command with subcommands beside it

At the top of a module only click and the standard library are imported; everything else inside the command, so that
every ``--help`` is instant.
"""
