internal import FlapCore

/// The experts of a layer, as a configuration has them.
struct LayerExperts {
  let shape: ExpertsShape
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
