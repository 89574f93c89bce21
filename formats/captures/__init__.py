"""Files of a real camera: raw frames, and the lists that describe them.

In reading order:

- ``camera_raw``        raw files of cameras, such as DNG
- ``video``             frames of a video
- ``capture_picture``   a capture as the picture that its camera would show
- ``raw_frames``        raw digital numbers of a sensor
- ``flat_fields``       flat fields, grouped by level of light
- ``pinhole_captures``  ``captures.toml`` of a pinhole at several field positions
- ``screen_captures``   ``captures.toml`` of a screen in front of the camera
"""
