"""Restoration by one-step latent diffusion (DMDiff, arXiv 2506.22753). Reads files; never simulates.

In reading order:

- ``prior``            the latent diffusion model: loading, one-step prediction; ``text_prompts`` embeds its prompts
- ``svda``             from a degradation map to Q, local or global
- ``lora``             LoRA layers with Q between A and B; ``networks`` is what is used of diffusers and peft
- ``degradation_map``  FWHM and quality over the frame, on crops too
- ``picture_tensors``  pictures as the networks take them
- ``quality``          the no-reference quality map (PIQE, MUSIQ)
- ``skips``            from the encoder to the decoder
- ``restorer``         prior + adapter: forward, save, load; ``merging`` puts a fixed Q into the weights
- ``paths``            positive, neutral, negative: inputs and targets
- ``train``            training an adapter, from its recipe (``train_config``) to its ``model_card``
- ``training_run``     the loop; ``workplace`` is where it runs, ``training_folder`` what it leaves while it does
- ``graphed``          gradients of a step, recorded once and replayed on a GPU
- ``training_pairs``   crops of pairs with their degradation maps; ``lens_maps`` of the lens that each was made with
- ``training_stream``  which crops each step takes
- ``training_loss``    L2 + λ perceptual; ``perceptual_loss`` is ``lpips`` or ``perceptual``, the shift-tolerant one
- ``validation``       losses and pictures of held-out photographs; ``training_log`` keeps them
- ``optimisation``     AdamW, schedule, moving average; ``checkpoint`` is its file
- ``lens_transfer``    from one lens' adapter to another lens
- ``pairs_dataset``    pairs for any trainer of PyTorch, shuffled across shards
- ``tiling``           how a large picture is cut and blended; ``normalisation`` by statistics of the whole
- ``tiled_networks``   encoder, U-Net and decoder over a picture of any size
- ``restoration``      captures to latents, latents to pictures at any α
- ``data_consistency`` draws restored pictures towards what the camera saw
- ``latents_file``     latents on disk
- ``restored_files``   from files to files
- ``pseudo``           pseudo pairs by the negative path
- ``wiener``           the classical baseline; ``local_blur`` the blur that it inverts; ``measures`` compares pictures
- ``evaluation``       gathers a report: ``report``, ``report_figures``, ``report_page``, on a ``page``
- ``methods``          other restorers behind one interface; ``metrics`` says how good pictures are
- ``bench``            all of them side by side
- ``machine``          what figures were measured on
- ``demo``             the whole road, command by command; each is a ``stage``
- ``pretrain``         makes a prior: ``pretrain_recipe``, ``pretrain_losses``, ``crops``, ``degradation``,
  ``linear_start``

Imports nothing of jax, ``optics``, ``psf`` or ``synth``.
"""
