internal import Export
internal import FlapCore
internal import Report
internal import Statistics
internal import SystemPackage

/// How a map was fitted, as `flap/run.json` states it.
struct MapSummary: Codable {
  let layer: Int
  /// `self_attn.o_proj`, `mlp.down_proj`.
  let map: String
  /// λ, relative to each channel's variance.
  let ridge: Double
  /// Whether it is larger than the one that was chosen, with which the covariance did not factor.
  let isRaised: Bool

  private init(_ ridge: MapRidge) {
    layer = ridge.place.layer
    map = ridge.place.tap.moduleName
    self.ridge = ridge.ridge
    isRaised = ridge.isRaised
  }

  /// Of the shards in a folder, and of an earlier run what is not there.
  ///
  /// - Returns: nil where no map was fitted.
  static func all(in folder: FilePath, earlier: [MapSummary]?) -> [MapSummary]? {
    let found = RidgeRecord.read(in: folder).map(MapSummary.init)
    let rest = (earlier ?? []).filter { earlier in
      !found.contains { $0.layer == earlier.layer && $0.map == earlier.map }
    }
    // In a layer attention's first: its name is the later one.
    let all = (found + rest).sorted { ($0.layer, $1.map) < ($1.layer, $0.map) }
    return all.isEmpty ? nil : all
  }
}

extension FittedRidge {
  /// nil: the summary names no map.
  init?(_ summary: MapSummary) {
    guard let tap = Tap(moduleName: summary.map) else { return nil }
    self.init(
      layer: summary.layer, tap: tap, ridge: summary.ridge, isRaised: summary.isRaised)
  }
}
