# Copyright 2026 the flap authors. Licensed under the Apache License, Version 2.0.
"""A Llama whose layers keep different numbers of heads and neurons (FLAP, arXiv 2312.11983), or with means
in the places of some of its experts (MoNE, arXiv 2507.00390).

All computation is that of transformers' Llama, the routing, too; these classes only build layers of unequal
sizes, and experts that have maps or a mean.
"""

import torch
from torch import nn
from transformers.activations import ACT2FN
from transformers.models.llama.modeling_llama import (
    LlamaDecoderLayer,
    LlamaForCausalLM,
    LlamaModel,
    LlamaPreTrainedModel,
    LlamaRMSNorm,
    LlamaRotaryEmbedding,
    LlamaSparseMoeBlock,
)

from .configuration_flap import FlapLlamaConfig

# The names of the block of router and experts, and of an expert's maps, in checkpoints.
BLOCK, *MAPS = {"mixtral": ("block_sparse_moe", "w1", "w3", "w2")}.get(
    "llama", ("mlp", "gate_proj", "up_proj", "down_proj")
)


def with_bias(linear):
    return nn.Linear(linear.in_features, linear.out_features, bias=True)


class FlapExpert(nn.Module):
    def __init__(self, config):
        super().__init__()
        hidden = config.hidden_size
        width = getattr(config, "moe_intermediate_size", None) or config.intermediate_size
        # What was removed of an expert leaves a bias behind its last map.
        sizes = ((hidden, width, False), (hidden, width, False), (width, hidden, config.flap_bias))
        for name, (inputs, outputs, bias) in zip(MAPS, sizes):
            self.add_module(name, nn.Linear(inputs, outputs, bias=bias))
        self.act_fn = ACT2FN[config.hidden_act]

    def forward(self, x):
        gate, up, down = (getattr(self, name) for name in MAPS)
        return down(self.act_fn(gate(x)) * up(x))


class FlapReplacedExpert(nn.Module):
    """What is left of an expert: its mean output."""

    def __init__(self, config):
        super().__init__()
        self.mean = nn.Parameter(torch.zeros(config.hidden_size))

    def forward(self, x):
        return self.mean.expand(len(x), -1)


class FlapExperts(nn.ModuleList):
    """Experts by their numbers, which transformers 4 takes one by one, and transformers 5 all at once."""

    def forward(self, hidden_states, top_k_index, top_k_weights):
        result = torch.zeros_like(hidden_states)
        for number in torch.unique(top_k_index).tolist():
            token, place = torch.where(top_k_index == number)
            output = self[number](hidden_states[token]) * top_k_weights[token, place, None]
            result.index_add_(0, token, output.to(result.dtype))
        return result


class FlapLlamaSparseMoeBlock(LlamaSparseMoeBlock):
    def __init__(self, config, replaced):
        super().__init__(config)
        kinds = [FlapReplacedExpert if number in replaced else FlapExpert
                 for number in range(self.gate.weight.shape[0])]  # fmt: skip
        self.experts = FlapExperts([kind(config) for kind in kinds])


class FlapLlamaDecoderLayer(LlamaDecoderLayer):
    def __init__(self, config, layer_idx):
        super().__init__(config.layer(layer_idx), layer_idx)
        # The choice of attention kernel is read from the model's own configuration later.
        self.self_attn.config = config
        if config.flap_bias:
            self.self_attn.o_proj = with_bias(self.self_attn.o_proj)
        # transformers 5 may call a block by another name than checkpoints do.
        used = "mlp" if "mlp" in self._modules else "block_sparse_moe"
        if isinstance(self._modules[used], LlamaSparseMoeBlock):
            block = FlapLlamaSparseMoeBlock(config, config.replaced_experts(layer_idx))
            del self._modules[used]
            self.add_module(BLOCK, block)
            if used != BLOCK:
                # Not a module of that name, too.
                self.__dict__[used] = block
        elif config.flap_bias:
            self.mlp.down_proj = with_bias(self.mlp.down_proj)


class FlapLlamaModel(LlamaModel):
    config_class = FlapLlamaConfig

    def __init__(self, config):
        # Not LlamaModel.__init__, which builds layers of stock experts.
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
        self.post_init()


class FlapLlamaForCausalLM(LlamaForCausalLM):
    config_class = FlapLlamaConfig

    def __init__(self, config):
        # Not LlamaForCausalLM.__init__, which builds a LlamaModel.
        LlamaPreTrainedModel.__init__(self, config)
        self.model = FlapLlamaModel(config)
        self.vocab_size = config.vocab_size
        self.lm_head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        # Of the router's loss in training.
        self.router_aux_loss_coef = config.router_aux_loss_coef
        self.num_experts = getattr(config, "num_experts", None) or config.num_local_experts
        self.num_experts_per_tok = config.num_experts_per_tok
        self.post_init()


FlapLlamaConfig.register_for_auto_class()
FlapLlamaModel.register_for_auto_class("AutoModel")
FlapLlamaForCausalLM.register_for_auto_class("AutoModelForCausalLM")
