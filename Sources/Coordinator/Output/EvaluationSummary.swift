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

  /// - Parameter width: columns of the terminal; nil: any.
  func table(_ width: Int?) -> String {
    guard let dense, let plans else {
      return String(format: "perplexity %.4f over ", perplexity) + extent
    }
    let predicts = plans.contains { $0.predictedLoss != nil }
    func number(_ value: Double) -> String { String(format: "%.4f", value) }
    var table = Table(
      PlanFigures.heading + ["perplexity"] + (predicts ? ["nats lost", "predicted"] : []))
    table.add("dense", dense.row + [number(perplexity)] + (predicts ? ["", ""] : []))
    for plan in plans {
      let losses = [
        number(log(plan.perplexity / perplexity)), plan.predictedLoss.map(number) ?? "",
      ]
      table.add(
        plan.name, plan.figures.row + [number(plan.perplexity)] + (predicts ? losses : []))
    }
    return "\(table.text(width))\nover \(extent)"
  }
}

extension LossSum {
  var perplexity: Double { exp(meanNegativeLogLikelihood) }
}
