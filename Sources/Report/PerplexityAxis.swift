internal import Foundation

/// Where perplexities stand on an axis that is wide near the dense model's: by the square root of the
/// loss in nats, ln p ÷ dense, below the dense model's by that of the gain.
package struct PerplexityAxis {
  package let dense: Double
  private let lowest: Double
  private let highest: Double

  private static let tickLimit = 6
  /// Of neighbours, in parts of the axis: labels do not collide.
  package static let leastDistance = 0.075
  /// Decades that ticks come from.
  private static let fineness = 1e-5

  /// - Parameter perplexities: finite, above 0.
  package init(dense: Double, _ perplexities: [Double]) {
    self.dense = dense
    let heights = perplexities.map { PerplexityAxis.height($0, dense) }
    lowest = heights.reduce(0, min)
    // Something, where nothing is lost.
    highest = heights.reduce(0.05, max)
  }

  private static func height(_ perplexity: Double, _ dense: Double) -> Double {
    let loss = log(perplexity / dense)
    return loss < 0 ? -(-loss).squareRoot() : loss.squareRoot()
  }

  /// From 0, the least perplexity, to 1, the largest.
  package func position(_ perplexity: Double) -> Double {
    (PerplexityAxis.height(perplexity, dense) - lowest) / (highest - lowest)
  }

  private var range: ClosedRange<Double> {
    func value(_ height: Double) -> Double { dense * exp(height * height.magnitude) }
    return value(lowest)...value(highest)
  }

  /// Round perplexities, not too near to the dense model's or to one another: the rounder the sooner.
  package var ticks: [Double] {
    let range = range
    var ticks: [Double] = []
    var taken = [position(dense)]
    var decade = pow(10, log10(range.upperBound).rounded(.down))
    while ticks.count < PerplexityAxis.tickLimit,
      decade > range.upperBound * PerplexityAxis.fineness
    {
      for step in [10 * decade, 5 * decade, 2 * decade] {
        var multiple = (range.lowerBound / step).rounded(.up)
        while multiple * step <= range.upperBound, ticks.count < PerplexityAxis.tickLimit {
          let place = position(multiple * step)
          if !taken.contains(where: { ($0 - place).magnitude < PerplexityAxis.leastDistance }) {
            ticks.append(multiple * step)
            taken.append(place)
          }
          multiple += 1
        }
      }
      decade /= 10
    }
    return ticks.sorted()
  }

  /// As exact as ticks are.
  package static func text(_ perplexity: Double) -> String {
    if perplexity >= 1e6 { return String(format: "%.0e", perplexity) }
    let digits = (0...4).first { digits in
      let shifted = perplexity * pow(10, Double(digits))
      return (shifted - shifted.rounded()).magnitude < 1e-6 * shifted
    }
    return NumberText.decimal(perplexity, digits: digits ?? 4)
  }
}
