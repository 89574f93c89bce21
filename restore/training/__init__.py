"""Training an adapter on pairs.

In reading order:

- ``train``          from pairs and a recipe to an adapter
- ``config``         the recipe, as a record and as a TOML file
- ``defaults``       what a recipe leaves to the prior and the metric
- ``loop``             the loop of every training: adapter, prior and methods
- ``adapter_training``  the adapter as a trainee of the loop
- ``pairs``          crops of pairs with their degradation maps
- ``sampler``        choice of the crops of each step
- ``loss``           L2 + λ perceptual
- ``discriminator``  of the adversarial term
- ``optimisation``   AdamW, schedule, moving average
- ``checkpoint``     the file from which a run continues
- ``validation``     losses and pictures of held-out photographs
- ``log``            log of a running training
- ``folder``         folder of a running training
- ``distributed``    one process or several, on CPUs or accelerators
- ``cuda_graphs``    gradients of a step, recorded once and replayed on a GPU
- ``pairs_dataset``  pairs for any trainer of PyTorch, shuffled across shards
"""
