import Checkpoint

/// Published `config.json` files, shortened to two or three layers.
enum PublishedConfiguration {
  static let mistral = """
    {"model_type": "mistral", "hidden_size": 4096, "intermediate_size": 14336,
     "num_attention_heads": 32, "num_hidden_layers": 2, "num_key_value_heads": 8,
     "rms_norm_eps": 1e-05, "rope_theta": 10000.0, "sliding_window": 4096, "hidden_act": "silu",
     "tie_word_embeddings": false, "vocab_size": 32000}
    """
  static let qwen2 = """
    {"model_type": "qwen2", "hidden_size": 896, "intermediate_size": 4864, "hidden_act": "silu",
     "max_window_layers": 1, "num_attention_heads": 14, "num_hidden_layers": 3,
     "num_key_value_heads": 2, "rms_norm_eps": 1e-06, "rope_theta": 1000000.0,
     "sliding_window": 32768, "tie_word_embeddings": true, "use_mrope": false,
     "use_sliding_window": false, "vocab_size": 151936}
    """
  static let qwen3 = """
    {"model_type": "qwen3", "attention_bias": false, "head_dim": 128, "hidden_act": "silu",
     "hidden_size": 1024, "intermediate_size": 3072, "max_window_layers": 28,
     "num_attention_heads": 16, "num_hidden_layers": 3, "num_key_value_heads": 8,
     "rms_norm_eps": 1e-06, "rope_scaling": null, "rope_theta": 1000000, "sliding_window": null,
     "tie_word_embeddings": true, "use_sliding_window": false, "vocab_size": 151936}
    """
  static let mixtral = """
    {"model_type": "mixtral", "hidden_size": 4096, "intermediate_size": 14336,
     "max_position_embeddings": 32768, "num_attention_heads": 32, "num_experts_per_tok": 2,
     "num_hidden_layers": 2, "num_key_value_heads": 8, "num_local_experts": 8,
     "output_router_logits": false, "rms_norm_eps": 1e-05, "rope_theta": 1000000.0,
     "router_aux_loss_coef": 0.02, "sliding_window": null, "hidden_act": "silu",
     "tie_word_embeddings": false, "vocab_size": 32000}
    """
  static let qwen3Moe = """
    {"model_type": "qwen3_moe", "attention_bias": false, "decoder_sparse_step": 1, "head_dim": 128,
     "hidden_act": "silu", "hidden_size": 2048, "intermediate_size": 6144, "max_window_layers": 48,
     "mlp_only_layers": [], "moe_intermediate_size": 768, "norm_topk_prob": true,
     "num_attention_heads": 32, "num_experts": 128, "num_experts_per_tok": 8,
     "num_hidden_layers": 3, "num_key_value_heads": 4, "output_router_logits": false,
     "rms_norm_eps": 1e-06, "rope_scaling": null, "rope_theta": 1000000.0,
     "router_aux_loss_coef": 0.001, "sliding_window": null, "tie_word_embeddings": false,
     "use_sliding_window": false, "vocab_size": 151936}
    """

  /// Of Phi-4-mini, with fewer divisors.
  static let phi3 = """
    {"model_type": "phi3", "attention_bias": false, "embd_pdrop": 0.0, "hidden_act": "silu",
     "hidden_size": 128, "intermediate_size": 8192, "lm_head_bias": false,
     "max_position_embeddings": 131072, "num_attention_heads": 8, "num_hidden_layers": 2,
     "num_key_value_heads": 4, "original_max_position_embeddings": 4096,
     "partial_rotary_factor": 0.75, "resid_pdrop": 0.0, "rms_norm_eps": 1e-05,
     "rope_scaling": {"long_factor": [1, 1.25, 1.5, 2, 3, 6], "short_factor": [1, 1, 1, 1, 1, 1],
     "type": "longrope"}, "rope_theta": 10000.0, "sliding_window": 262144,
     "tie_word_embeddings": true, "vocab_size": 200064}
    """
  static let smollm3 = """
    {"model_type": "smollm3", "attention_bias": false, "hidden_act": "silu", "hidden_size": 2048,
     "intermediate_size": 11008, "layer_types": ["full_attention", "full_attention",
     "full_attention", "full_attention"], "max_position_embeddings": 65536, "mlp_bias": false,
     "no_rope_layer_interval": 4, "no_rope_layers": [1, 1, 1, 0], "num_attention_heads": 16,
     "num_hidden_layers": 4, "num_key_value_heads": 4, "rms_norm_eps": 1e-06,
     "rope_scaling": null, "rope_theta": 5000000.0, "sliding_window": null,
     "use_sliding_window": false, "vocab_size": 128256}
    """
  static let gemma3 = """
    {"model_type": "gemma3_text", "attention_bias": false, "attn_logit_softcapping": null,
     "final_logit_softcapping": null, "head_dim": 256, "hidden_activation": "gelu_pytorch_tanh",
     "hidden_size": 1152, "intermediate_size": 6912, "max_position_embeddings": 32768,
     "num_attention_heads": 4, "num_hidden_layers": 3, "num_key_value_heads": 1,
     "query_pre_attn_scalar": 256, "rms_norm_eps": 1e-06, "rope_local_base_freq": 10000,
     "rope_scaling": null, "rope_theta": 1000000, "sliding_window": 512,
     "sliding_window_pattern": 3, "vocab_size": 262144}
    """
  static let granite = """
    {"model_type": "granite", "attention_bias": false, "attention_multiplier": 0.0078125,
     "embedding_multiplier": 12.0, "hidden_act": "silu", "hidden_size": 4096,
     "intermediate_size": 12800, "logits_scaling": 16.0, "max_position_embeddings": 131072,
     "mlp_bias": false, "num_attention_heads": 32, "num_hidden_layers": 2,
     "num_key_value_heads": 8, "residual_multiplier": 0.22, "rms_norm_eps": 1e-05,
     "rope_scaling": null, "rope_theta": 10000000.0, "tie_word_embeddings": true,
     "vocab_size": 49155}
    """
  static let olmo2 = """
    {"model_type": "olmo2", "attention_bias": false, "hidden_act": "silu", "hidden_size": 2048,
     "intermediate_size": 8192, "max_position_embeddings": 4096, "num_attention_heads": 16,
     "num_hidden_layers": 2, "num_key_value_heads": 16, "rms_norm_eps": 1e-06,
     "rope_scaling": null, "rope_theta": 500000, "tie_word_embeddings": false,
     "vocab_size": 100352}
    """
  static let olmo3 = """
    {"model_type": "olmo3", "attention_bias": false, "hidden_act": "silu", "hidden_size": 4096,
     "intermediate_size": 11008, "layer_types": ["sliding_attention", "sliding_attention",
     "sliding_attention", "full_attention"], "max_position_embeddings": 65536,
     "num_attention_heads": 32, "num_hidden_layers": 4, "num_key_value_heads": 32,
     "rms_norm_eps": 1e-06, "rope_scaling": {"attention_factor": 1.2079441541679836,
     "beta_fast": 32, "beta_slow": 1, "factor": 8.0, "original_max_position_embeddings": 8192,
     "rope_type": "yarn"}, "rope_theta": 500000, "sliding_window": 4096,
     "tie_word_embeddings": false, "vocab_size": 100278}
    """

  static func of(_ family: ModelFamily) -> String {
    switch family {
    case .llama: ConfigurationTests.llama2
    case .mistral: mistral
    case .mixtral: mixtral
    case .qwen2: qwen2
    case .qwen3: qwen3
    case .qwen3Moe: qwen3Moe
    case .phi3: phi3
    case .smollm3: smollm3
    case .gemma3: gemma3
    case .granite: granite
    case .olmo2: olmo2
    case .olmo3: olmo3
    }
  }
}
