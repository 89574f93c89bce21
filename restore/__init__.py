"""Restoration by one-step latent diffusion (DMDiff, arXiv 2506.22753). Reads files; never simulates.

In reading order:

- ``prior``          the latent diffusion model
- ``conditioning``   what the restorer is told of the degradation, place by place
- ``adapter``        LoRA with A·Q·B, the three paths, the restorer
- ``training``       training an adapter on pairs
- ``inference``      restoring captures, at any α and size
- ``deconvolution``  the baselines of linear optics
- ``metrics``        how good pictures are
- ``report``         a page that compares restored pictures
- ``methods``        other restorers behind one interface; ``bench`` puts all of them side by side
- ``pretraining``    making a prior
- ``machine``        which device computes, and what figures were measured on

``weights/`` holds the embedded prior and adapters. Imports nothing of jax, ``optics``, ``psf`` or ``synth``.
"""
