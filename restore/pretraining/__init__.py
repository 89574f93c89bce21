"""Making a small latent diffusion prior from clean photographs, as the embedded one was made.

In reading order:

- ``pretrain``               from photographs to a prior
- ``recipe``                 its size and recipe, and the untrained networks
- ``linear_initialisation``  networks that begin as linear ones
- ``crops``                  random crops of clean photographs
- ``degradation``            what pictures are trained against, without any one lens
- ``losses``                 what autoencoder and denoiser are trained for
"""
