"""Files of a real camera: raw frames, and the lists that say what each of them shows.

In reading order:

- ``raw_frames``        a sensor's numbers as they are
- ``flat_fields``       which of them are flat fields of one level of light
- ``pinhole_captures``  ``captures.toml`` of a pinhole: which file shows it where
- ``screen_captures``   ``captures.toml`` of a screen in front of the camera: which file shows what
"""
