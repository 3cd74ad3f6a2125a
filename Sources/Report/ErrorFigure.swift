/// How the error of a map's output grows as units go in the order of removal.
///
/// Over the share of units kept, one to the left, all to the right; as a share of the error with one
/// unit kept.
struct ErrorFigure {
  let title: String
  let identifier: String
  /// [units]: without the first k units of the order, k from 0 to units − 1.
  let errors: [Double]
  /// Units that the plan keeps, at least one.
  let kept: Int

  /// With what is kept, of that with one unit kept.
  var share: Double { share(keeping: kept) }

  private static let height = 100.0

  var svg: String {
    var plot = Plot(height: ErrorFigure.height)
    plot.addCurve(
      ErrorFigure.counts(of: errors.count).map { count in
        (
          Double(count) / Double(errors.count) * Plot.width,
          (1 - share(keeping: count)) * ErrorFigure.height
        )
      }, class: "error")
    plot.addLine(at: Double(kept) / Double(errors.count), class: "threshold")
    return plot.svg(
      identifier: identifier, class: "loss", title: title,
      description: "Error of the output with so many of \(errors.count) units, as a share of that "
        + "with one. Kept are \(kept): \(NumberText.percent(share)).")
  }

  private func share(keeping count: Int) -> Double {
    guard let largest = errors.last, largest > 0 else { return 0 }
    return min(max(errors[errors.count - count] / largest, 0), 1)
  }

  /// So that many layers still make a small page.
  private static let steps = 24

  /// Counts of kept units, ascending: all of few; of many, so many that a line is seen, and `others`.
  static func counts(of units: Int, and others: [Int] = []) -> [Int] {
    guard units > steps else { return Array(1...units) }
    let even = (0...steps).map { max(1, units * $0 / steps) }
    return Set(even + others).sorted()
  }
}
