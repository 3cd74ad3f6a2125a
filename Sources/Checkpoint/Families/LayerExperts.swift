internal import FlapCore

/// The experts of a layer, as a configuration has them.
struct LayerExperts {
  var shape: ExpertsShape
  /// Neurons of each.
  let intermediateSize: Int
}

extension ExpertsShape {
  /// - Parameter countField: that says how many experts there are.
  func check(
    _ fields: ConfigurationFields, countField: String, layerCount: Int
  ) throws(ConfigurationError) {
    guard count <= Limits.expertCount / layerCount else {
      throw fields.error(
        countField,
        "is \(count), with num_hidden_layers \(layerCount) more than \(Limits.expertCount) in all")
    }
    guard countPerToken <= count else {
      throw fields.error(
        "num_experts_per_tok", "is \(countPerToken), more than \(countField) \(count)")
    }
  }
}

extension ConfigurationFields {
  /// The experts of every layer, with those of `flap_replaced_experts`, of which a mean is left:
  /// {"3": [0, 5]}, their numbers rising.
  func withReplacedExperts(_ layers: [LayerExperts?]) throws(ConfigurationError) -> [LayerExperts?]
  {
    guard let replaced = try nested("flap_replaced_experts") else { return layers }
    var layers = layers
    for name in replaced.names {
      guard let index = Int(name), layers.indices.contains(index),
        let count = layers[index]?.shape.count
      else { throw replaced.error(name, "is no number of a layer with experts") }
      let numbers = try replaced.numbers(name) ?? []
      let experts = numbers.compactMap { Int(exactly: $0) }
      guard experts.count == numbers.count, experts.count < count,
        experts.allSatisfy((0..<count).contains),
        zip(experts, experts.dropFirst()).allSatisfy(<)
      else {
        throw replaced.error(name, "are no rising numbers of experts, fewer than \(count)")
      }
      layers[index]?.shape.replaced = experts
    }
    return layers
  }
}
