"""From captures to restored photographs.

In reading order:

- ``capture``           a picture that the camera took, and where on the sensor
- ``capture_check``     whether a camera can have taken it, and whether it can be restored
- ``restoration``       captures to latents, latents to pictures at any α
- ``tiling``            overlapping tiles of a large picture, and their blending
- ``tiled_group_norm``  group normalisation with the statistics of the whole picture
- ``lean_blocks``       residual blocks in place, and once for what the paths have in common
- ``tiled_networks``    encoder, U-Net and decoder on pictures of any size
- ``data_consistency``  makes restored pictures consistent with the capture
- ``latents_file``      latents on disk
- ``capture_files``     captures as a user names them
- ``capture_run``       a run over captures: one that fails, and what is missing
- ``restored_names``    names of the files that a restoration writes
- ``restored_files``    restoration of files
- ``steadying``         latents of a video, steadied by the previous frame
- ``frame_sequence``    frames of a video: steadying in a run, flicker
- ``onnx_export``       encoder, U-Net and decoder as ONNX
- ``onnx_example``      runs them with onnxruntime and NumPy alone
- ``filtered_files``    the same by the joint Wiener filter
- ``picture``           restoration of one array, with the adapter by name
- ``uncertainty``       where a restored picture is uncertain
- ``pseudo``            pseudo pairs by the negative path
"""
