"""Restoration by one-step latent diffusion (DMDiff, arXiv 2506.22753). Reads files; never simulates.

In reading order:

- ``prior``            the latent diffusion model: loading, one-step prediction
- ``svda``             from a degradation map to Q, local or global
- ``lora``             LoRA layers with Q between A and B
- ``degradation_map``  FWHM and quality over the frame, on crops too
- ``quality``          the no-reference quality map (PIQE, MUSIQ)
- ``restorer``         prior + adapter: forward, save, load
- ``paths``            positive, neutral, negative: inputs and targets
- ``training_pairs``   crops of pairs with their degradation maps
- ``pairs_dataset``    pairs for any trainer of PyTorch, shuffled across shards
- ``optimisation``     AdamW, schedule, moving average, checkpoints
- ``train``            training an adapter; ``model_card`` describes it
- ``restoration``      captures to pictures, any α
- ``pseudo``           pseudo pairs by the negative path
- ``perceptual``       the shift-tolerant LPIPS, offline
- ``wiener``           the classical baseline; ``measures`` compares pictures
- ``evaluation``       gathers a report: ``report``, ``report_figures``, ``report_page``
- ``demo``             the whole road, command by command
- ``pretrain``         makes a prior: ``crops``, ``degradation``, ``linear_start``

Imports nothing of jax, ``optics``, ``psf`` or ``synth``.
"""
