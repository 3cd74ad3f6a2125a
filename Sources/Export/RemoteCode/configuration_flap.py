# Copyright 2026 the flap authors. Licensed under the Apache License, Version 2.0.
"""Configuration of a Llama whose layers were pruned to unequal sizes (FLAP, arXiv 2312.11983)."""

import copy
import inspect

from transformers import LlamaConfig


class FlapLlamaConfig(LlamaConfig):
    """A `LlamaConfig` of the dense model, plus what each layer has left.

    per_layer_config: {"3": {"num_attention_heads": 5, "num_key_value_heads": 5,
        "intermediate_size": 691}}; layers and fields that are not named have the global sizes.
        transformers from 5.14 on knows this key itself, older versions keep it as it is.
    flap_replaced_experts: {"3": [0, 5]}: the experts of a layer that have a mean in their place.
    flap_bias: whether `o_proj` and `down_proj` have biases, which stand for what was removed.
    """

    model_type = "flap_llama"
    flap_bias: bool = False

    @classmethod
    def from_dict(cls, config_dict, **kwargs):
        """transformers 5 saves `rope_parameters` and `num_local_experts` alone, of which 4.57 knows nothing."""
        rope = config_dict.get("rope_parameters")
        if rope and "rope_theta" not in config_dict and not config_dict.get("rope_scaling"):
            scaling = {name: value for name, value in rope.items() if name != "rope_theta"}
            scaled = scaling.get("rope_type", "default") != "default"
            config_dict = config_dict | {"rope_theta": rope.get("rope_theta", 10000.0)}
            config_dict["rope_scaling"] = scaling if scaled else None
        experts = config_dict.get("num_local_experts")
        if experts and "num_experts" in inspect.signature(LlamaConfig.__init__).parameters:
            config_dict = {"num_experts": experts} | config_dict
        return super().from_dict(config_dict, **kwargs)

    def layer(self, index):
        """The configuration of one layer, an ordinary one with that layer's sizes."""
        if getattr(self, "is_heterogeneous", False):
            return self.per_layer_config[index]
        layers = getattr(self, "per_layer_config", None)
        config = copy.copy(self)
        if isinstance(layers, dict):
            # transformers 5 pads numbers with zeros when it saves.
            own = {int(number): sizes for number, sizes in layers.items()}.get(index, {})
            for name, value in own.items():
                setattr(config, name, value)
        return config

    def replaced_experts(self, index):
        """Numbers of a layer's experts that have a mean in their place."""
        layers = getattr(self, "flap_replaced_experts", None) or {}
        return {int(number): experts for number, experts in layers.items()}.get(index, [])

    def validate(self, *args, **kwargs):
        """transformers 5 checks global sizes that no layer need have."""
