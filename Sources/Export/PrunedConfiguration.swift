public import Checkpoint
public import FlapCore

/// `config.json` of a pruned checkpoint: the dense one's, with the sizes that each layer has left
/// and the names under which transformers finds the remote code. What one version of transformers
/// spells otherwise than another is there in both spellings.
public enum PrunedConfiguration {
  /// - Returns: JSON with sorted keys; every key of the dense file that has no reason to change
  ///   stays.
  public static func json(
    dense: ModelConfiguration, plan: PruningPlan, compensating: Bool
  ) throws -> [UInt8] {
    let shape = dense.shape
    let pruned = plan.prunedShape(of: shape, compensating: compensating)
    guard case .object(var fields) = try JSONValue(parsing: dense.json) else {
      preconditionFailure("the configuration was read before")
    }
    let prefix = "Flap\(dense.family.className)"
    fields["model_type"] = .text(ModelFamily.prunedPrefix + dense.family.modelType)
    fields["architectures"] = .list([.text("\(prefix)ForCausalLM")])
    fields["auto_map"] = .object([
      "AutoConfig": .text("configuration_flap.\(prefix)Config"),
      "AutoModel": .text("modeling_flap.\(prefix)Model"),
      "AutoModelForCausalLM": .text("modeling_flap.\(prefix)ForCausalLM"),
    ])
    fields["head_dim"] = .whole(shape.headDimension)
    if fields["num_key_value_heads"] ?? .null == .null {
      fields["num_key_value_heads"] = fields["num_attention_heads"]
    }
    // `attention_bias` and `mlp_bias` stay what they are: they speak of q, k, v, gate and up too.
    fields["flap_bias"] = .flag(compensating || fields["flap_bias"] == .flag(true))
    // transformers 5 saves a count under a name that 4.57 does not read.
    pruned.layers.first { $0.experts != nil }?.addExperts(to: &fields)
    let layers = perLayer(pruned, global: fields)
    // An empty one says nothing.
    fields["per_layer_config"] = layers.isEmpty && shape.hasExperts ? nil : .object(layers)
    fields["flap_replaced_experts"] = replacedExperts(pruned)
    // transformers 5 asks for the count of heads there, though head_dim says what it wants to know,
    // and ends where layers have counts of their own.
    switch shape.rotaryEmbedding.scaling {
    case .yarn, .longRope: fields["allow_global_per_layer_attribute_access"] = .flag(true)
    default: break
    }
    RotaryFields.unify(shape, of: dense.family, in: &fields)
    return FractionalFields.spelledOut(in: try JSONValue.object(fields).formatted())
  }

  /// `config.json` for a class of transformers itself: the sizes that every layer has left, and no
  /// remote code.
  ///
  /// - Throws: ``TransformersClassError`` when the class does not take them.
  public static func transformersJSON(
    dense: ModelConfiguration, plan: PruningPlan, compensating: Bool
  ) throws -> [UInt8] {
    let target = try TransformersClass(modelType: dense.modelType)
    let pruned = plan.prunedShape(of: dense.shape, compensating: compensating)
    try target.check(pruned)
    let biases = try target.biases(holding: pruned.biases)
    guard
      case .object(var fields) = try JSONValue(parsing: dense.json),
      let layer = pruned.layers.first
    else { preconditionFailure("the configuration was read before") }
    for key in [
      "auto_map", "flap_bias", "flap_replaced_experts", "per_layer_config",
      "allow_global_per_layer_attribute_access",
    ] { fields[key] = nil }
    fields["model_type"] = .text(target.modelType)
    fields["architectures"] = .list([.text(target.architecture)])
    fields["head_dim"] = .whole(pruned.headDimension)
    fields["num_attention_heads"] = .whole(layer.headCount)
    fields["num_key_value_heads"] = .whole(layer.keyValueHeadCount)
    if let dense = pruned.layers.first(where: { $0.experts == nil }) {
      fields["intermediate_size"] = .whole(dense.intermediateSize)
    }
    if let mixture = pruned.layers.first(where: { $0.experts != nil }) {
      mixture.addExperts(to: &fields)
    }
    if target.takesCompensation {
      fields["attention_bias"] = .flag(biases.attentionOutput)
      fields["mlp_bias"] = .flag(biases.mlpDown)
    }
    RotaryFields.unify(pruned, of: dense.family, in: &fields)
    return FractionalFields.spelledOut(in: try JSONValue.object(fields).formatted())
  }

  /// Numbers of the experts of which a mean is left, by layers; nil where there are none.
  private static func replacedExperts(_ pruned: ModelShape) -> JSONValue? {
    guard pruned.hasReplacedExperts else { return nil }
    var layers: [String: JSONValue] = [:]
    for (index, layer) in pruned.layers.enumerated() {
      guard let replaced = layer.experts?.replaced, !replaced.isEmpty else { continue }
      layers["\(index)"] = .list(replaced.map { .whole($0) })
    }
    return .object(layers)
  }

  /// The layers whose sizes differ from the global ones.
  private static func perLayer(
    _ pruned: ModelShape, global: [String: JSONValue]
  ) -> [String: JSONValue] {
    var layers: [String: JSONValue] = [:]
    for (index, layer) in pruned.layers.enumerated() {
      var sizes: [String: JSONValue] = [
        "num_attention_heads": .whole(layer.headCount),
        "num_key_value_heads": .whole(layer.keyValueHeadCount),
      ]
      // Experts have a size of their own.
      if layer.experts == nil { sizes["intermediate_size"] = .whole(layer.intermediateSize) }
      if sizes.contains(where: { global[$0.key] != $0.value }) {
        layers["\(index)"] = .object(sizes)
      }
    }
    return layers
  }
}

extension LayerShape {
  /// The fields of experts, as the family names them.
  fileprivate func addExperts(to fields: inout [String: JSONValue]) {
    guard let experts else { return }
    fields["num_experts_per_tok"] = .whole(experts.countPerToken)
    switch experts.names {
    case .mixtral:
      fields["num_local_experts"] = .whole(experts.count)
      fields["intermediate_size"] = .whole(intermediateSize)
    case .qwen:
      fields["num_experts"] = .whole(experts.count)
      if fields["num_local_experts"] != nil { fields["num_local_experts"] = .whole(experts.count) }
      fields["moe_intermediate_size"] = .whole(intermediateSize)
    }
  }
}
