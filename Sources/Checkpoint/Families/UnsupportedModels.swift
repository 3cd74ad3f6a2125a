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
      ("gemma3n", "layers that share keys and values, and embeddings of their own"),
      ("gemma3", "a model of text and images; of text alone it is gemma3_text"),
      ("gemma2", "capped logits of attention"),
      ("gemma", "other norms"),
      ("phi", "layers without a gate"),
      ("olmo", "norms without weights"),
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
    let (field, names) = family.definition.activation
    let activation = try fields.text(field) ?? names[0]
    guard names.contains(activation) else {
      let others = names.count > 1 ? " (\(names.dropFirst().joined(separator: ", ")))" : ""
      throw fields.error(field, "is \(activation); only \(names[0])\(others) is supported")
    }
  }
}
