internal import FlapCore
internal import Pruning
internal import Wire

extension WritePlan {
  /// The compensation of every layer's maps; nil where removed channels leave none behind.
  func compensations(shape: ModelShape) throws -> [PerTap<Compensation>]? {
    try baselines?.enumerated().map { layer, baselines in
      try PerTap { tap in
        let kept = plan.channelsWithoutBias(layer: layer, tap: tap, shape: shape)
        guard let made = Compensation(baselines: baselines[tap], keptChannels: kept) else {
          throw PlanError.damaged
        }
        return made
      }
    }
  }
}
