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
      return ModelPruning(plan: plan, maps: maps)
    }
  }

  /// One map that a tap feeds.
  ///
  /// - Parameter folder: where a fitted weight may be written to; nil: it stays in memory.
  func map(at place: TapPlace, inFileOf folder: String? = nil) throws -> PrunedMap {
    PrunedMap(
      bias: try biasValues(layer: place.layer, place.tap),
      weight: try withFittedWeight(layer: place.layer, place.tap) { rows, columns, row in
        try FittedWeight(rows: rows, columns: columns, inFileOf: folder, row)
      })
  }
}
