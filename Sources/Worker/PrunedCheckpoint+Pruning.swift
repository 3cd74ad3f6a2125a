internal import Export
internal import FlapCore
internal import Statistics
internal import Transformer

extension PrunedCheckpoint {
  /// The same for a forward pass, without writing anything.
  var pruning: ModelPruning {
    get throws {
      let plan = layout.plan
      let maps = try plan.layers.indices.map { layer in
        try PerTap { tap -> PrunedMap? in try map(at: TapPlace(layer: layer, tap)) }
      }
      let means =
        plan.replacesExperts ? plan.layers.indices.map { meanValues(layer: $0) } : []
      return ModelPruning(plan: plan, maps: maps, expertMeans: means)
    }
  }

  /// One map that a tap feeds.
  func map(at place: TapPlace) throws -> PrunedMap {
    PrunedMap(
      bias: try biasValues(layer: place.layer, place.tap),
      weight: try fittedWeight(layer: place.layer, place.tap))
  }
}
