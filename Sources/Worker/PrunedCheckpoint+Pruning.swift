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
        try PerTap { tap -> PrunedMap? in
          guard tap == .attentionOutput || plan.layers[layer].keptExperts.isEmpty else {
            return nil
          }
          return try map(at: TapPlace(layer: layer, tap))
        }
      }
      let experts = try plan.layers.indices.map { try expertMaps(layer: $0) }
      let means =
        plan.replacesExperts ? plan.layers.indices.map { meanValues(layer: $0) } : []
      return ModelPruning(plan: plan, maps: maps, expertMaps: experts, expertMeans: means)
    }
  }

  /// One map that a tap feeds.
  ///
  /// - Parameter expert: whose map it is; nil: the layer's own.
  func map(at place: TapPlace, expert: Int? = nil) throws -> PrunedMap {
    PrunedMap(
      bias: try biasValues(layer: place.layer, place.tap, expert: expert),
      weight: try fittedWeight(layer: place.layer, place.tap, expert: expert))
  }

  /// Of a layer's experts that stay, by their numbers.
  private func expertMaps(layer: Int) throws -> [Int: PrunedMap] {
    let kept = layout.plan.layers[layer].keptExperts
    var maps: [Int: PrunedMap] = [:]
    for expert in kept.indices where kept[expert] {
      maps[expert] = try map(at: TapPlace(layer: layer, .mlpDown), expert: expert)
    }
    return maps
  }
}
