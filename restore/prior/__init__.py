"""The latent diffusion prior that every restorer builds on.

In reading order:

- ``networks``      imports from diffusers
- ``peft_layers``   imports from peft
- ``configuration`` bounds of a prior's configuration files
- ``text_prompts``  prompt embeddings
- ``prior``         autoencoder, U-Net and prompts: one-step prediction
- ``prior_folder``  loading and saving a prior; the embedded one is in ``weights/``
"""
