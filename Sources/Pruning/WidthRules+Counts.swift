import FlapCore

/// The counts that the rules leave to a model.
extension WidthRules {
  /// Kept units at a tap are a multiple of it.
  func multiple(at tap: Tap) -> Int {
    switch tap {
    case .attentionOutput: groupMultiple
    case .mlpDown: neuronMultiple
    }
  }

  /// - Throws: if a layer has fewer units than the multiple that it is to keep, or, where all
  ///   layers are to keep the same, other groups than layer 0.
  func check(_ shape: ModelShape) throws(PruningError) {
    for (index, layer) in shape.layers.enumerated() {
      guard layer.keyValueHeadCount >= groupMultiple else {
        throw .tooFewUnits(
          layer: index, .attentionOutput, found: layer.keyValueHeadCount, multiple: groupMultiple)
      }
      guard layer.intermediateSize >= neuronMultiple else {
        throw .tooFewUnits(
          layer: index, .mlpDown, found: layer.intermediateSize, multiple: neuronMultiple)
      }
      guard !isUniform || layer.headsPerGroup == shape.layers[0].headsPerGroup else {
        throw .unevenGroups(layer: index)
      }
    }
  }

  /// With ``isUniform``: counts of groups that every layer can keep and the rules allow, ascending.
  func groupCounts(sharedByLayersOf shape: ModelShape) -> [Int] {
    let largest = shape.layers.map(\.keyValueHeadCount).min() ?? 0
    return stride(from: groupMultiple, through: largest, by: groupMultiple).filter {
      (!headsDivideHiddenSize || shape.hiddenSize % ($0 * shape.layers[0].headsPerGroup) == 0)
        && (!keepsGroups || $0 == largest)
    }
  }

  /// Whether a model that loses nothing obeys.
  func allowsKeepingAll(of shape: ModelShape) -> Bool {
    let groups = shape.layers.map(\.keyValueHeadCount)
    let neurons = shape.layers.map(\.intermediateSize)
    guard groups.allSatisfy({ $0 % groupMultiple == 0 }),
      neurons.allSatisfy({ $0 % neuronMultiple == 0 })
    else { return false }
    return !isUniform
      || (Set(groups).count == 1 && Set(neurons).count == 1
        && groupCounts(sharedByLayersOf: shape).contains(groups[0]))
  }
}
