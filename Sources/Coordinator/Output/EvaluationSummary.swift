internal import Foundation
internal import Statistics

/// The result of `eval`.
struct EvaluationSummary: Encodable {
  /// One plan's.
  struct Entry: Encodable {
    /// The plan's file, or the ratio asked for.
    let name: String
    let perplexity: Double
    let figures: PlanFigures

    func encode(to encoder: any Encoder) throws {
      try figures.encode(to: encoder)
      var container = encoder.container(keyedBy: CodingKeys.self)
      try container.encode(name, forKey: .name)
      try container.encode(perplexity, forKey: .perplexity)
    }

    private enum CodingKeys: String, CodingKey { case name, perplexity }
  }

  /// exp of the mean negative log-likelihood over tokens 1… of every sample.
  let perplexity: Double
  /// Tokens that were predicted.
  let tokens: Int
  /// Tokens that the model sees at once, and from one window to the next.
  let window: Int
  let stride: Int
  /// The model as it is; nil where no plan was asked for.
  var dense: PlanFigures?
  var plans: [Entry]?

  init(_ loss: LossSum, _ windows: OverlappingWindows) {
    window = windows.window
    stride = windows.stride
    perplexity = loss.perplexity
    tokens = loss.tokenCount
  }

  private var extent: String {
    "\(tokens) tokens in windows of \(window)" + (stride < window ? ", stride \(stride)" : "")
  }

  var table: String {
    guard let dense, let plans else {
      return String(format: "perplexity %.4f over ", perplexity) + extent
    }
    let width = plans.reduce("dense".count) { max($0, $1.name.count) } + 2
    func line(_ name: String, _ row: String, _ perplexity: String) -> String {
      Format.leading(name, width) + row + Format.column(perplexity, 13)
    }
    func line(_ name: String, _ figures: PlanFigures, _ perplexity: Double) -> String {
      line(name, figures.row, String(format: "%.4f", perplexity))
    }
    return
      ([
        line("", PlanFigures.heading, "perplexity"), line("dense", dense, perplexity),
      ] + plans.map { line($0.name, $0.figures, $0.perplexity) }
      + ["over \(extent)"]).joined(separator: "\n")
  }
}

extension LossSum {
  var perplexity: Double { exp(meanNegativeLogLikelihood) }
}
