"""Training an adapter on pairs.

In reading order:

- ``train``          from pairs and a recipe to an adapter
- ``config``         the recipe, as a record and as a TOML file
- ``loop``             the loop of every training: adapter, prior and methods
- ``adapter_training``  what the loop asks of an adapter
- ``pairs``          crops of pairs with their degradation maps
- ``sampler``        which crops each step takes
- ``loss``           L2 + λ perceptual
- ``optimisation``   AdamW, schedule, moving average
- ``checkpoint``     the file that a run goes on from
- ``validation``     losses and pictures of held-out photographs
- ``log``            what a training writes while it runs
- ``folder``         its folder while it runs
- ``distributed``    one process or several, on processors or accelerators
- ``cuda_graphs``    gradients of a step, recorded once and replayed on a GPU
- ``pairs_dataset``  pairs for any trainer of PyTorch, shuffled across shards
"""
