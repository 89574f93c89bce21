"""metalens: simulate metalens cameras, make training sets from them, restore their photographs.

The folders are the stages of one road, and data travels it one way, from file to file:

    lens.toml --optics--> field behind the lens --psf--> psf.h5 --synth--> pairs/ --restore--> adapter/ --> photos

- ``formats``   the files that pass between stages: lens.toml, psf.h5, pairs/, their guarded readers and writers
- ``optics``    phase profiles, the metalens, scalar propagation; the conventions every stage keeps
- ``psf``       point spread functions over field and wavelength, and their measures (FWHM, Strehl, MTF)
- ``synth``     clean photographs, shift-variant blur, sensor noise: training pairs
- ``restore``   the one-step latent diffusion restorer: prior, adapters, training, restoration, report
- ``workflows``  roads of several stages, each a command in a process of its own
- ``commands``  what the command line can do; each command only parses, converts units, calls and reports
- ``cli``       its entry: finds the commands, turns errors into sentences and exit statuses
"""

__version__ = "0.1.0"
