internal import FlapCore
internal import Pruning

/// What the model loses with fewer units of one module: measured, interpolated, chosen.
///
/// Over the share of units kept, one to the left, all to the right. Each line is drawn as a share of
/// its own largest value, so that their shapes compare; values stand beside the picture.
struct LossFigure {
  /// "Layer 3, neurons".
  let title: String
  let identifier: String
  let curve: LossCurve
  /// Units that the plan keeps.
  let kept: Int
  /// [units]: with 1, 2, … units kept.
  private let losses: [Double]

  /// - Precondition: so many units are kept, at least one.
  init(title: String, identifier: String, curve: LossCurve, kept: Int) {
    self.title = title
    self.identifier = identifier
    self.curve = curve
    self.kept = kept
    losses = curve.losses
  }

  /// At the count that is kept, in nats per token.
  var predictedLoss: Double { losses[kept - 1] }

  var svg: String {
    var plot = Plot(height: LossFigure.height)
    plot.addCurve(shownCounts.map { point($0, errorShare($0)) }, class: "error")
    // Below the least measured count the line may rise out of the picture.
    let inside = shownCounts.filter { losses[$0 - 1] <= largestLoss }
    plot.addCurve(inside.map { point($0, lossShare(losses[$0 - 1])) }, class: "loss")
    plot.addLine(at: share(kept), class: "threshold")
    plot.addDots(
      curve.measured.map { point($0.kept, lossShare($0.loss)) }, class: "measured")
    return plot.svg(
      identifier: identifier, class: "loss", title: title, description: description)
  }

  private static let height = 100.0
  /// Where the lines have their corners, and some between.
  private var shownCounts: [Int] {
    ErrorFigure.counts(of: curve.unitCount, and: curve.measured.map(\.kept))
  }

  private func share(_ kept: Int) -> Double { Double(kept) / Double(curve.unitCount) }

  /// The largest that was measured, or what is predicted where that is more.
  private var largestLoss: Double {
    max(curve.measured.reduce(predictedLoss) { max($0, $1.loss) }, 0)
  }

  private func lossShare(_ loss: Double) -> Double {
    largestLoss > 0 ? max(loss / largestLoss, 0) : 0
  }

  private func errorShare(_ kept: Int) -> Double {
    guard let largest = curve.errors.last, largest > 0 else { return 0 }
    return min(max(curve.errors[curve.unitCount - kept] / largest, 0), 1)
  }

  private func point(_ kept: Int, _ value: Double) -> (x: Double, y: Double) {
    (share(kept) * Plot.width, (1 - value) * LossFigure.height)
  }

  private var description: String {
    let measured = curve.measured.map {
      "\($0.kept) kept: \(NumberText.decimal($0.loss, digits: 4))"
    }
    return "Nats per token lost with so many of \(curve.unitCount) units. "
      + (measured.isEmpty ? "" : "Measured: " + measured.joined(separator: "; ") + ". ")
      + "Kept are \(kept), predicted: \(NumberText.decimal(predictedLoss, digits: 4))."
  }
}
