"""``pairs/``: clean and captured pictures in shards that survive an interruption of the writer.

In reading order:

- ``manifest``          content of a folder of pairs, as JSON
- ``shard``             one shard, as an HDF5 file
- ``example``         the pair that comes with the package
- ``reader``            reading a folder, shard by shard
- ``writer``            writing it, one writer at a time, resumable
- ``photograph_split``  division of photographs into training and validation
- ``thumbnail``         crops and turned copies of a photograph
- ``shared_photographs``  test photographs that also trained
- ``neutral_target``    target of the neutral path, stored with the clean picture
- ``verify``            integrity check of a folder
- ``from_folders``      pairs of two folders of equally named pictures
- ``merge``             several folders joined into one
- ``dataset_card``      the card of pairs on the model hub
- ``export``            formats for other training programs
"""
