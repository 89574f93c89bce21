"""The latent diffusion prior that every restorer stands on.

In reading order:

- ``networks``      what is used of diffusers and peft
- ``text_prompts``  prompts as embeddings
- ``prior``         autoencoder, U-Net and prompts: loading, one-step prediction; the embedded one is in ``weights/``
"""
