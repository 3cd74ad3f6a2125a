public import Checkpoint
public import FlapCore
internal import Foundation

/// `config.json` of a pruned checkpoint: the dense one's, with the sizes that each layer has left
/// and the names under which transformers finds the remote code.
public enum PrunedConfiguration {
  /// - Returns: JSON with sorted keys; every key of the dense file that has no reason to change
  ///   stays.
  public static func json(
    dense: ModelConfiguration, plan: PruningPlan, compensating: Bool
  ) throws -> [UInt8] {
    let shape = dense.shape
    let pruned = plan.prunedShape(of: shape, compensating: compensating)
    guard
      var fields = try JSONSerialization.jsonObject(with: Data(dense.json)) as? [String: Any]
    else { preconditionFailure("the configuration was read before") }
    let prefix = "Flap\(dense.family.className)"
    fields["model_type"] = ModelFamily.prunedPrefix + dense.family.modelType
    fields["architectures"] = ["\(prefix)ForCausalLM"]
    fields["auto_map"] = [
      "AutoConfig": "configuration_flap.\(prefix)Config",
      "AutoModel": "modeling_flap.\(prefix)Model",
      "AutoModelForCausalLM": "modeling_flap.\(prefix)ForCausalLM",
    ]
    fields["head_dim"] = shape.headDimension
    let keyValueHeads = fields["num_key_value_heads"] as? Int ?? fields["num_attention_heads"]
    fields["num_key_value_heads"] = keyValueHeads
    // `attention_bias` and `mlp_bias` stay what they are: they speak of q, k, v, gate and up too.
    let hadBias = fields["flap_bias"] as? Bool ?? false
    fields["flap_bias"] = compensating || hadBias
    fields["per_layer_config"] = perLayer(pruned, global: fields)
    let data = try JSONSerialization.data(
      withJSONObject: fields, options: [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes])
    return Array(data) + [UInt8(ascii: "\n")]
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
      var fields = try JSONSerialization.jsonObject(with: Data(dense.json)) as? [String: Any],
      let layer = pruned.layers.first
    else { preconditionFailure("the configuration was read before") }
    for key in ["auto_map", "flap_bias", "per_layer_config"] { fields[key] = nil }
    fields["model_type"] = target.modelType
    fields["architectures"] = [target.architecture]
    fields["head_dim"] = pruned.headDimension
    fields["num_attention_heads"] = layer.headCount
    fields["num_key_value_heads"] = layer.keyValueHeadCount
    fields["intermediate_size"] = layer.intermediateSize
    if target.takesCompensation {
      fields["attention_bias"] = biases.attentionOutput
      fields["mlp_bias"] = biases.mlpDown
    }
    let data = try JSONSerialization.data(
      withJSONObject: fields, options: [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes])
    return Array(data) + [UInt8(ascii: "\n")]
  }

  /// The layers whose sizes differ from the global ones.
  private static func perLayer(_ pruned: ModelShape, global: [String: Any]) -> [String: [String:
    Int]]
  {
    var layers: [String: [String: Int]] = [:]
    for (index, layer) in pruned.layers.enumerated() {
      let sizes = [
        "num_attention_heads": layer.headCount,
        "num_key_value_heads": layer.keyValueHeadCount,
        "intermediate_size": layer.intermediateSize,
      ]
      if sizes.contains(where: { global[$0.key] as? Int != $0.value }) {
        layers["\(index)"] = sizes
      }
    }
    return layers
  }
}
