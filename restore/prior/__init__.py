"""The latent diffusion prior that every restorer builds on.

In reading order:

- ``networks``      imports from diffusers and peft
- ``text_prompts``  prompt embeddings
- ``prior``         autoencoder, U-Net and prompts: loading, one-step prediction; the embedded prior is in ``weights/``
"""
