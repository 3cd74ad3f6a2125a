public import FlapCore

extension PruningPlan {
  /// Checks a plan that came from a file or a peer against the model it is to prune.
  ///
  /// - Throws: if layers, groups or neurons are not as many as the model's, or a layer would be
  ///   left without a group or a neuron.
  public func validate(for shape: ModelShape) throws(PruningError) {
    guard layers.count == shape.layers.count else {
      throw .layerCount(expected: shape.layers.count, found: layers.count)
    }
    for (index, layer) in layers.enumerated() {
      let expected = shape.layers[index]
      guard layer.keptGroups.count == expected.keyValueHeadCount else {
        throw .channelCount(
          layer: index, tap: .attentionOutput, expected: expected.keyValueHeadCount,
          found: layer.keptGroups.count)
      }
      guard layer.keptNeurons.count == expected.neuronCount else {
        throw .channelCount(
          layer: index, tap: .mlpDown, expected: expected.neuronCount,
          found: layer.keptNeurons.count)
      }
      guard layer.keptExperts.count == expected.experts?.count ?? 0, layer.keepsWholeExperts else {
        throw .expertsUnusable(layer: index)
      }
      guard layer.keptGroups.contains(true), layer.keptNeurons.contains(true) else {
        throw .emptiedLayer(index)
      }
    }
  }
}
