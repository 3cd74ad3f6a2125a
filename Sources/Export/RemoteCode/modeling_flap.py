# Copyright 2026 the flap authors. Licensed under the Apache License, Version 2.0.
"""A Llama whose layers keep different numbers of heads and neurons (FLAP, arXiv 2312.11983).

All computation is that of transformers' Llama; these classes only build layers of unequal sizes.
"""

from torch import nn
from transformers.models.llama.modeling_llama import (
    LlamaDecoderLayer,
    LlamaForCausalLM,
    LlamaModel,
    LlamaPreTrainedModel,
    LlamaRMSNorm,
    LlamaRotaryEmbedding,
)

from .configuration_flap import FlapLlamaConfig


def with_bias(linear):
    return nn.Linear(linear.in_features, linear.out_features, bias=True)


class FlapLlamaDecoderLayer(LlamaDecoderLayer):
    def __init__(self, config, layer_idx):
        super().__init__(config.layer(layer_idx), layer_idx)
        # The choice of attention kernel is read from the model's own configuration later.
        self.self_attn.config = config
        if config.flap_bias:
            self.self_attn.o_proj = with_bias(self.self_attn.o_proj)
            self.mlp.down_proj = with_bias(self.mlp.down_proj)


class FlapLlamaModel(LlamaModel):
    config_class = FlapLlamaConfig

    def __init__(self, config):
        # Not LlamaModel.__init__, which builds layers of one size.
        LlamaPreTrainedModel.__init__(self, config)
        self.padding_idx = config.pad_token_id
        self.vocab_size = config.vocab_size
        self.embed_tokens = nn.Embedding(config.vocab_size, config.hidden_size, self.padding_idx)
        self.layers = nn.ModuleList(
            [FlapLlamaDecoderLayer(config, index) for index in range(config.num_hidden_layers)]
        )
        self.norm = LlamaRMSNorm(config.hidden_size, eps=config.rms_norm_eps)
        self.rotary_emb = LlamaRotaryEmbedding(config=config)
        self.gradient_checkpointing = False
        # Read where layers may differ in their windows of attention.
        self.has_sliding_layers = "sliding_attention" in (getattr(config, "layer_types", None) or [])
        self.post_init()


class FlapLlamaForCausalLM(LlamaForCausalLM):
    config_class = FlapLlamaConfig

    def __init__(self, config):
        # Not LlamaForCausalLM.__init__, which builds a LlamaModel.
        LlamaPreTrainedModel.__init__(self, config)
        self.model = FlapLlamaModel(config)
        self.vocab_size = config.vocab_size
        self.lm_head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        self.post_init()


FlapLlamaConfig.register_for_auto_class()
FlapLlamaModel.register_for_auto_class("AutoModel")
FlapLlamaForCausalLM.register_for_auto_class("AutoModelForCausalLM")
