"""``pairs/``: clean and captured pictures side by side, in shards that survive whatever interrupts their writer.

In reading order:

- ``manifest``          what a folder of pairs holds, as JSON
- ``shard``             one shard, as an HDF5 file
- ``reader``            reading a folder, shard by shard
- ``writer``            writing it, one writer at a time, resumable
- ``photograph_split``  which photographs train and which validate
- ``neutral_target``    the target of the neutral path, which pairs hold beside the clean picture
- ``verify``            whether a folder is whole
- ``merge``             several folders joined into one
- ``export``            in the forms that other trainers read
"""
