"""What is used of peft, for adapters of LoRA; imported without the quantised layers that nothing here has."""

from metalens.restore.prior.networks import left_out

# It asks once whether bitsandbytes is there, and keeps the answer.
with left_out("bitsandbytes"):
    from peft import LoraConfig, inject_adapter_in_model
    from peft.import_utils import is_bnb_4bit_available, is_bnb_available
    from peft.tuners.lora import LoraLayer

    is_bnb_available()
    is_bnb_4bit_available()

__all__ = ["LoraConfig", "LoraLayer", "inject_adapter_in_model"]
