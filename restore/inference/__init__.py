"""From captures to restored photographs.

In reading order:

- ``capture``           a picture that the camera took, and where on the sensor
- ``restoration``       captures to latents, latents to pictures at any α
- ``tiling``            overlapping tiles of a large picture, and their blending
- ``tiled_group_norm``  group normalisation with the statistics of the whole picture
- ``lean_blocks``       residual blocks in place, and once for what the paths have in common
- ``tiled_networks``    encoder, U-Net and decoder on pictures of any size
- ``data_consistency``  makes restored pictures consistent with the capture
- ``latents_file``      latents on disk
- ``restored_files``    restoration of files
- ``filtered_files``    the same by the joint Wiener filter
- ``picture``           restoration of one array, with the adapter by name
- ``uncertainty``       where a restored picture is uncertain
- ``pseudo``            pseudo pairs by the negative path
"""
