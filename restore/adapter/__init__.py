"""The adapter: LoRA with Q between A and B, the three paths, and the restorer that they make of a prior.

In reading order:

- ``paths``          positive, neutral, negative: inputs and targets
- ``svda``           from a degradation map to Q, local or global
- ``lora``           LoRA layers with Q between A and B
- ``skips``          from the encoder to the decoder
- ``description``    ``adapter.json``
- ``restorer``       prior and adapter: forward, save, load
- ``merging``        a fixed Q merged into the weights
- ``lens_transfer``  from one lens' adapter to another lens
- ``model_card``     what stands beside every adapter
"""
