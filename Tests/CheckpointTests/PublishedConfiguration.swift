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

  static func of(_ family: ModelFamily) -> String {
    switch family {
    case .llama: ConfigurationTests.llama2
    case .mistral: mistral
    case .mixtral: mixtral
    case .qwen2: qwen2
    case .qwen3: qwen3
    case .qwen3Moe: qwen3Moe
    }
  }
}
