internal import FlapCore

/// How the maps behind removed units were fitted.
extension PruningReport {
  /// Markup; nil where none was, or nobody knows how.
  var ridgesHTML: String? {
    guard !ridges.isEmpty else { return nil }
    func cell(_ layer: Int, _ tap: Tap) -> String {
      guard let ridge = ridges.first(where: { $0.layer == layer && $0.tap == tap }) else {
        return "–"
      }
      return ridge.text + (ridge.isRaised ? ", raised" : "")
    }
    let layers = Set(ridges.map(\.layer)).sorted()
    return Markup.element("p", [:], ridgesText)
      + PlainTable(
        caption: "The ridge of each map", head: ["Layer", "o_proj", "down_proj"],
        rows: layers.map { ["\($0)", cell($0, .attentionOutput), cell($0, .mlpDown)] },
        hidesCaption: true
      ).html
  }

  private var ridgesText: String {
    "The ridge λ of each map that was fitted, relative to each channel’s variance: of those tried the "
      + "one whose fit errs least on the calibration samples held out. Raised: the covariance could "
      + "not be factored with the one chosen, and ten times as much was taken, as often as needed. "
      + "A map without a value was left as it is."
  }
}
