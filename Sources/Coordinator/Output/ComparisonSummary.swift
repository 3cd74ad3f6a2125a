internal import Foundation
internal import Statistics

/// The result of `compare`.
struct ComparisonSummary: Encodable {
  struct Entry: Encodable {
    let method: String
    let ratioAsked: Double
    /// Of the decoder layers' parameters.
    let ratioReached: Double
    let perplexity: Double
    /// Of measured counts, in nats per token; nil for others.
    let predictedLoss: Double?
  }

  let data: String
  /// Tokens that were predicted.
  let tokens: Int
  /// Tokens that the model sees at once; windows do not overlap.
  let window: Int
  let densePerplexity: Double
  let entries: [Entry]

  init(dense: LossSum, data: String, window: Int, entries: [Entry]) {
    self.window = window
    self.data = data
    tokens = dense.tokenCount
    densePerplexity = dense.perplexity
    self.entries = entries
  }

  /// Part of what FLAP loses that a method does not; nil where FLAP is not among the methods.
  func takenBack(_ entry: Entry) -> Double? {
    let flap = entries.first {
      $0.method == ComparedMethod.flap.rawValue && $0.ratioAsked == entry.ratioAsked
    }
    guard let flap, flap.perplexity > densePerplexity else { return nil }
    return (flap.perplexity - entry.perplexity) / (flap.perplexity - densePerplexity)
  }

  /// A row for each method, for each ratio its perplexity, what it reached, and the part of FLAP's
  /// loss that it takes back.
  ///
  /// - Parameter width: columns of the terminal; nil: any.
  func table(_ width: Int?) -> String {
    var ratios: [Double] = []
    for entry in entries where !ratios.contains(entry.ratioAsked) {
      ratios.append(entry.ratioAsked)
    }
    var methods: [String] = []
    for entry in entries where !methods.contains(entry.method) { methods.append(entry.method) }
    func number(_ value: Double) -> String { String(format: "%.4f", value) }
    // Of several ratios the first column of each says which.
    var table = Table(ratios.flatMap { ["at \($0)", "removed", "back"] })
    table.add("dense", ratios.flatMap { _ in [number(densePerplexity), "", ""] })
    for method in methods {
      table.add(
        method,
        entries.filter { $0.method == method }.flatMap { entry in
          [
            number(entry.perplexity), Format.percent(entry.ratioReached),
            takenBack(entry).map { String(format: "%.1f %%", 100 * $0) } ?? "",
          ]
        })
    }
    return """
      \(table.text(width))
      perplexities over \(tokens) tokens in windows of \(window); back: part of FLAP's loss
      """
  }
}
