"""The adapter: LoRA with Q between A and B, the three paths, and the restorer (prior and adapter).

In reading order:

- ``paths``          positive, neutral, negative: inputs and targets
- ``svda``           from a degradation map to Q, local or global
- ``lora``           LoRA layers with Q between A and B
- ``full_tuning``    all weights of the prior instead of LoRA
- ``optics_input``   linear restorations as further input channels
- ``path_embedding``  the path beside the U-Net's time embedding
- ``consistency_block``  data consistency behind the decoder, trained with the networks
- ``skips``          skip connections from the encoder to the decoder
- ``description``    ``adapter.json``
- ``restorer``       prior and adapter together: encode, one diffusion step, decode
- ``adapter_file``   saving and loading an adapter
- ``merging``        a fixed Q merged into the weights
- ``lens_transfer``  using or starting from the adapter of another lens
- ``model_card``     the ``README.md`` of every adapter
- ``hub_card``       its files and its card on the model hub
"""
