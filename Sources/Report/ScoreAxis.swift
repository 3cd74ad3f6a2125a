/// The horizontal axis of score distributions: linear from the lowest score on, cut where few
/// scores follow, since their tail is long. What lies beyond is counted in a last bin of its own.
package struct ScoreAxis {
  package let lowest: Double
  /// Where the last bin begins.
  package let end: Double
  package static let binCount = 60
  /// The last bin stands apart by this part of the axis's width.
  static let overflowShare = 0.035

  /// - Parameters:
  ///   - scores: of all units that are to be shown; not empty.
  ///   - threshold: is to be seen, where there is one.
  package init(_ scores: [[Double]], threshold: Double?) {
    let sorted = scores.map { $0.sorted() }.filter { !$0.isEmpty }
    lowest = min(sorted.map { $0[0] }.min() ?? 0, threshold ?? .infinity)
    let cuts = sorted.map { $0[($0.count - 1) * 95 / 100] }
    let wanted = max(cuts.max() ?? 1, threshold ?? -.infinity)
    // Never empty, also where all scores are equal.
    end = lowest + max((wanted - lowest) * 1.02, 1e-6, lowest.magnitude * 1e-9)
  }

  /// The bin of a score; the last of `binCount + 1` is the one of all beyond.
  package func bin(_ score: Double) -> Int {
    guard score < end else { return ScoreAxis.binCount }
    let place = (score - lowest) / (end - lowest) * Double(ScoreAxis.binCount)
    return min(max(Int(place), 0), ScoreAxis.binCount - 1)
  }

  /// Counts per bin.
  package func histogram(_ scores: some Sequence<Double>) -> [Int] {
    var counts = Array(repeating: 0, count: ScoreAxis.binCount + 1)
    for score in scores { counts[bin(score)] += 1 }
    return counts
  }

  /// Where a score stands, in parts of the axis's width, 0…1.
  package func position(_ score: Double) -> Double {
    min(max((score - lowest) / (end - lowest), 0), 1) * (1 - ScoreAxis.overflowShare)
  }

  /// Where a bin begins and ends, in parts of the axis's width.
  package func extent(ofBin bin: Int) -> ClosedRange<Double> {
    guard bin < ScoreAxis.binCount else { return (1 - ScoreAxis.overflowShare * 0.6)...1 }
    let width = (1 - ScoreAxis.overflowShare) / Double(ScoreAxis.binCount)
    return Double(bin) * width...Double(bin + 1) * width
  }

  /// Round numbers on the axis, four to eight of them.
  package var ticks: [Double] {
    let raw = (end - lowest) / 5
    var step = 1e-9
    while true {
      for factor in [1.0, 2, 5] where step * factor >= raw {
        let width = step * factor
        let first = (lowest / width).rounded(.up)
        let last = (end / width).rounded(.down)
        return stride(from: first, through: last, by: 1).map { $0 * width }
      }
      step *= 10
    }
  }
}
