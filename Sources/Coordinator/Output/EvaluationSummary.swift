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
    /// Of measured counts, in nats per token; nil for others.
    let predictedLoss: Double?

    func encode(to encoder: any Encoder) throws {
      try figures.encode(to: encoder)
      var container = encoder.container(keyedBy: CodingKeys.self)
      try container.encode(name, forKey: .name)
      try container.encode(perplexity, forKey: .perplexity)
      try container.encodeIfPresent(predictedLoss, forKey: .predictedLoss)
    }

    private enum CodingKeys: String, CodingKey { case name, perplexity, predictedLoss }
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
    let predicts = plans.contains { $0.predictedLoss != nil }
    func line(_ name: String, _ row: String, _ perplexity: String, _ losses: [String]) -> String {
      Format.leading(name, width) + row + Format.column(perplexity, 13)
        + (predicts ? losses.map { Format.column($0, 11) }.joined() : "")
    }
    func number(_ value: Double) -> String { String(format: "%.4f", value) }
    return
      ([
        line("", PlanFigures.heading, "perplexity", ["nats lost", "predicted"]),
        line("dense", dense.row, number(perplexity), []),
      ]
      + plans.map { plan in
        line(
          plan.name, plan.figures.row, number(plan.perplexity),
          [number(log(plan.perplexity / perplexity)), plan.predictedLoss.map(number) ?? ""])
      }
      + ["over \(extent)"]).joined(separator: "\n")
  }
}

extension LossSum {
  var perplexity: Double { exp(meanNegativeLogLikelihood) }
}
