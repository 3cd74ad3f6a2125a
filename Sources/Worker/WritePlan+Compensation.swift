internal import Export
internal import FlapCore
internal import Pruning
internal import Wire

extension WritePlan {
  /// The compensation of every layer's maps.
  func compensations(shape: ModelShape) throws -> [LayerCompensation] {
    try plan.layers.indices.map { layer in
      func compensation(_ tap: Tap) throws -> Compensation {
        let kept = plan.keptChannels(layer: layer, tap: tap, shape: shape)
        guard let made = Compensation(baselines: baselines[layer][tap], keptChannels: kept) else {
          throw PlanError.damaged
        }
        return made
      }
      return LayerCompensation(
        attentionOutput: try compensation(.attentionOutput), mlpDown: try compensation(.mlpDown))
    }
  }
}
