"""Restoration by one-step latent diffusion (DMDiff, arXiv 2506.22753). Reads files; never simulates.

In reading order:

- ``prior``            the latent diffusion model: loading, one-step prediction; ``text_prompts`` embeds its prompts
- ``svda``             from a degradation map to Q, local or global
- ``lora``             LoRA layers with Q between A and B
- ``degradation_map``  FWHM and quality over the frame, on crops too
- ``quality``          the no-reference quality map (PIQE, MUSIQ)
- ``skips``            from the encoder to the decoder
- ``restorer``         prior + adapter: forward, save, load; ``merging`` puts a fixed Q into the weights
- ``paths``            positive, neutral, negative: inputs and targets
- ``training_pairs``   crops of pairs with their degradation maps
- ``pairs_dataset``    pairs for any trainer of PyTorch, shuffled across shards
- ``optimisation``     AdamW, schedule, moving average, checkpoints
- ``train``            training an adapter; ``model_card`` describes it
- ``tiling``           how a large picture is cut and blended; ``normalisation`` by statistics of the whole
- ``tiled_networks``   encoder, U-Net and decoder over a picture of any size
- ``restoration``      captures to latents, latents to pictures at any α
- ``latents_file``     latents on disk
- ``restored_files``   from files to files
- ``pseudo``           pseudo pairs by the negative path
- ``perceptual``       the shift-tolerant LPIPS, offline
- ``wiener``           the classical baseline; ``measures`` compares pictures
- ``evaluation``       gathers a report: ``report``, ``report_figures``, ``report_page``
- ``demo``             the whole road, command by command
- ``pretrain``         makes a prior: ``crops``, ``degradation``, ``linear_start``

Imports nothing of jax, ``optics``, ``psf`` or ``synth``.
"""
