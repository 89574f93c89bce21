"""From captures to restored photographs.

In reading order:

- ``restoration``       captures to latents, latents to pictures at any α
- ``tiling``            how a large picture is cut and blended
- ``tiled_group_norm``  group normalisation with the statistics of the whole picture
- ``tiled_networks``    encoder, U-Net and decoder over a picture of any size
- ``data_consistency``  draws restored pictures towards what the camera saw
- ``latents_file``      latents on disk
- ``restored_files``    from files to files
- ``picture``           from one array to one array, with the adapter by name
- ``pseudo``            pseudo pairs by the negative path
"""
