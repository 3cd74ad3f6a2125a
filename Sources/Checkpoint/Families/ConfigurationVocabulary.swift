/// What the fields of a `config.json` are to this program, so that none is passed over in silence:
/// read, without effect on what a model computes, or refused. Others are told by name.
///
/// `Tests/transformers/test_configuration_fields.py` holds these lists against the classes of
/// transformers, field by field.
enum ConfigurationVocabulary {
  /// In every family; a family adds its own (``FamilyDefinition/ownFields``).
  static let read: Set<String> = [
    "model_type", "architectures", "auto_map", "flap_bias", "flap_replaced_experts",
    "per_layer_config", "head_dim",
    "hidden_act", "hidden_size", "intermediate_size", "max_position_embeddings",
    "num_attention_heads", "num_hidden_layers", "num_key_value_heads",
    "original_max_position_embeddings", "partial_rotary_factor", "quantization_config",
    "rms_norm_eps", "rope_parameters", "rope_scaling", "rope_theta",
    "tie_word_embeddings", "vocab_size",
  ]

  /// Of training, of generation, of the library, of the tokenizer; they decide nothing here.
  static let harmless: Set<String> = [
    // Training and the library's own.
    "_attn_implementation", "_attn_implementation_autoset", "_commit_hash", "_name_or_path",
    "attention_dropout", "attn_implementation", "chunk_size_feed_forward", "dtype",
    "embd_pdrop", "finetuning_task", "gradient_checkpointing", "hidden_dropout", "id2label",
    "initializer_range", "is_decoder", "keys_to_ignore_at_inference", "label2id", "name_or_path",
    "num_labels", "output_attentions", "output_hidden_states", "output_scores", "prefix",
    "pretraining_tp", "problem_type", "resid_pdrop", "return_dict", "return_dict_in_generate",
    "task_specific_params", "tf_legacy_loss", "tie_encoder_decoder", "tie_last_hidden_states",
    "torch_dtype", "torchscript", "transformers.js_config", "transformers_version",
    "output_router_logits", "router_aux_loss_coef", "router_jitter_noise",
    "allow_global_per_layer_attribute_access", "unsloth_fixed", "unsloth_version", "use_bfloat16",
    "use_cache", "cross_attention_hidden_size",
    // Tokens of the tokenizer.
    "bos_token_id", "decoder_start_token_id", "eos_token_id", "pad_token_id", "sep_token_id",
    "tokenizer_class",
    // Generation.
    "bad_words_ids", "begin_suppress_tokens", "cache_implementation", "diversity_penalty",
    "do_sample", "early_stopping",
    "encoder_no_repeat_ngram_size", "exponential_decay_length_penalty", "forced_bos_token_id",
    "forced_eos_token_id", "length_penalty", "max_length", "max_new_tokens", "min_length",
    "no_repeat_ngram_size", "num_beam_groups", "num_beams", "num_return_sequences",
    "remove_invalid_values", "repetition_penalty", "suppress_tokens", "temperature", "top_k",
    "top_p", "typical_p",
  ]

  private static let off: [JSONValue] = [.flag(false)]
  private static let on: [JSONValue] = [.flag(true)]
  private static let none: [JSONValue] = [.flag(false), .whole(0), .list([]), .object([:])]
  private static let one: [JSONValue] = [.flag(false), .whole(1)]

  /// What changes the mathematics in some program that reads it: refused but for null and the values
  /// named here, which change nothing.
  static let mathematics: [String: (neutral: [JSONValue], reason: String)] = [
    "is_causal": (on, "attention to later tokens is not supported"),
    "use_bidirectional_attention": (off, "attention to later tokens is not supported"),
    "is_encoder_decoder": (off, "models with an encoder are not supported"),
    "add_cross_attention": (off, "models with an encoder are not supported"),
    "pruned_heads": (none, "take the model as it was saved after that"),
    "attention_chunk_size": (off, "attention in chunks is not supported"),
    "num_kv_shared_layers": (
      none, "layers that share keys and values are not supported"
    ),
    "attn_logit_softcapping": (off, "capped logits are not supported"),
    "final_logit_softcapping": (off, "capped logits are not supported"),
    "num_experts": (off, "a mixture of experts is not supported"),
    "num_local_experts": (off, "a mixture of experts is not supported"),
    "n_routed_experts": (off, "a mixture of experts is not supported"),
    "kv_lora_rank": (off, "latent attention is not supported"),
    "attention_multiplier": (one, "scaled activations are not supported"),
    "embedding_multiplier": (one, "scaled activations are not supported"),
    "residual_multiplier": (one, "scaled activations are not supported"),
    "logits_scaling": (one, "scaled logits are not supported"),
    "logit_scale": (one, "scaled logits are not supported"),
    "query_pre_attn_scalar": (off, "attention of another scale is not supported"),
    "clip_qkv": (off, "clipped queries and keys are not supported"),
    "use_qk_norm": (off, "norms that the family does not have are not supported"),
    "qk_norm": (off, "norms that the family does not have are not supported"),
    "no_rope_layers": (none, "layers without positions are not supported"),
    "alibi": (off, "positions by ALiBi are not supported"),
    "use_parallel_residual": (off, "attention and MLP side by side are not supported"),
    "parallel_attn": (off, "attention and MLP side by side are not supported"),
    "dual_chunk_attention_config": (off, "attention in chunks is not supported"),
    "sliding_window": (off, "a window of attention is not supported"),
    "layer_types": (off, "layers of different kinds are not supported"),
  ]

  /// - Throws: the first field that changes what a model of the family computes.
  static func check(_ fields: ConfigurationFields, _ family: ModelFamily)
    throws(ConfigurationError)
  {
    for name in fields.names where !family.definition.ownFields.contains(name) {
      guard let (neutral, reason) = mathematics[name], let value = fields.value(name),
        !neutral.contains(value), !isFull(value, name)
      else { continue }
      throw fields.error(
        name, "is there (\(value.short)), in a model of type \(family.modelType): \(reason)")
    }
  }

  /// `layer_types` that say nothing but what is so anyway.
  private static func isFull(_ value: JSONValue, _ name: String) -> Bool {
    guard name == "layer_types", case .list(let types) = value else { return false }
    return types.allSatisfy { $0 == .text("full_attention") }
  }

  /// Fields that have no effect here, and of which nobody knows that they have none elsewhere; those
  /// that are null or false say nothing.
  static func idle(_ fields: ConfigurationFields, _ family: ModelFamily) -> [String] {
    let own = family.definition.ownFields
    let read = read.subtracting(family.definition.unreadFields)
    return fields.names.filter { name in
      guard let value = fields.value(name), value != .flag(false), mathematics[name] == nil else {
        return false
      }
      return !read.contains(name) && !own.contains(name) && !harmless.contains(name)
    }
  }
}

extension JSONValue {
  /// For messages.
  fileprivate var short: String {
    switch self {
    case .null: "null"
    case .flag(let flag): "\(flag)"
    case .whole(let whole): "\(whole)"
    case .number(let number): "\(number)"
    case .text(let text): String(text.prefix(40))
    case .list(let values): "a list of \(values.count)"
    case .object: "an object"
    }
  }
}
