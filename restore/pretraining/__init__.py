"""Training of a small latent diffusion prior on clean photographs, such as the embedded one.

In reading order:

- ``pretrain``               from photographs to a prior
- ``recipe``                 its size and recipe, and the untrained networks
- ``linear_initialisation``  networks that start as linear maps
- ``crops``                  random crops of clean photographs
- ``degradation``            generic degradations, independent of any lens
- ``losses``                 losses of autoencoder and denoiser
"""
