/// What is refused by name, and why.
enum UnsupportedModels {
  /// Of a `model_type` that is none of ``ModelFamily``; empty where nothing is known of it.
  static func reason(modelType: String) -> String {
    let reasons: [(part: String, reason: String)] = [
      ("moe", "a mixture of experts of another kind"),
      ("deepseek_v", "a mixture of experts with latent attention"),
      ("gpt_oss", "a mixture of experts"),
      ("llama4", "a mixture of experts"),
      ("_vl", "a model of text and images"),
      ("mllama", "a model of text and images"),
      ("gemma", "other norms, GELU, and capped logits in some versions"),
      ("phi", "joined query, key and value maps or other norms"),
    ]
    return reasons.first { modelType.contains($0.part) }.map { " (\($0.reason))" } ?? ""
  }

  /// Refuses fields that change what a supported `model_type` computes.
  static func check(_ fields: ConfigurationFields, _ family: ModelFamily)
    throws(ConfigurationError)
  {
    if let quantization = try fields.nested("quantization_config") {
      let method = try quantization.text("quant_method") ?? "unnamed"
      throw fields.error(
        "quantization_config",
        "is there (\(method)): quantized weights cannot be pruned, take the model in BF16, F16 or "
          + "F32")
    }
    try ConfigurationVocabulary.check(fields, family)
    let activation = try fields.text("hidden_act") ?? "silu"
    // Two names of one function.
    guard ["silu", "swish"].contains(activation) else {
      throw fields.error("hidden_act", "is \(activation); only silu (swish) is supported")
    }
  }
}
