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
  var table: String {
    var ratios: [Double] = []
    for entry in entries where !ratios.contains(entry.ratioAsked) {
      ratios.append(entry.ratioAsked)
    }
    var methods: [String] = []
    for entry in entries where !methods.contains(entry.method) { methods.append(entry.method) }
    let width = (methods + ["dense"]).reduce(0) { max($0, $1.count) } + 2
    var lines = [
      Format.leading("", width)
        + ratios.map {
          Format.column("\($0)", 12) + Format.column("removed", 10) + Format.column("back", 9)
        }.joined(),
      Format.leading("dense", width)
        + ratios.map { _ in
          Format.column(String(format: "%.4f", densePerplexity), 12) + Format.column("", 19)
        }.joined(),
    ]
    for method in methods {
      let cells = entries.filter { $0.method == method }.map { entry in
        Format.column(String(format: "%.4f", entry.perplexity), 12)
          + Format.column(Format.percent(entry.ratioReached), 10)
          + Format.column(takenBack(entry).map { String(format: "%.1f %%", 100 * $0) } ?? "", 9)
      }
      lines.append(Format.leading(method, width) + cells.joined())
    }
    lines.append(
      "perplexities over \(tokens) tokens in windows of \(window); back: part of FLAP's loss")
    return lines.map(trimmed).joined(separator: "\n")
  }

  private func trimmed(_ line: String) -> String {
    var line = Substring(line)
    while line.last == " " { line.removeLast() }
    return String(line)
  }
}
