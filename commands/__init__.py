"""The commands: each parses, converts units, calls its stage and reports. ``metalens.cli`` loads them by name.

Commands, in the order of the road, each in the module of its name:

- ``library``   what meta-atoms do to light: computed, imported, looked at; a group
- ``design``    a lens for a specification
- ``psf``       point spread functions of a lens; a group whose default is to simulate them

  - ``psf_measured``  the same from captures
  - ``psf_fit``       where lens and sensor are, from their PSFs

- ``tolerance`` how errors of fabrication and assembly change a lens
- ``export``    files for fabrication and for ray tracers
- ``import_``   a lens from such a file, as it will be made
- ``sensor``    what a sensor is, from its frames; a group
- ``synth``     pairs of clean and captured pictures
- ``data``      looking after folders of pairs; a group
- ``align``     pairs from captures of a screen; a group whose default is to make them

  - ``align_target``   the grid of dots to display
  - ``align_screens``  all that is to be displayed, and the list of its captures

- ``train``     an adapter: the restorer of one camera
- ``pseudo``    more pairs, by the adapter's negative path
- ``restore``   captures to photographs
- ``report``    a page that compares them
- ``bench``     every restoration method side by side
- ``pretrain``  a small prior
- ``demo``      all of it, once

What they share:

- ``options``        options that several commands take
- ``answer``         the result, as a sentence or as JSON
- ``progress``       progress bars on stderr
- ``ensemble``       the banks of a folder of lenses
- ``default_group``  a command with subcommands beside it

At the top of a module only click and the standard library are imported; everything else inside the command, so that
every ``--help`` is instant.
"""
