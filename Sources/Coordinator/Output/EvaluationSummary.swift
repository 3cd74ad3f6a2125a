internal import Foundation
internal import Statistics

/// The result of `eval`.
struct EvaluationSummary: Encodable {
  /// One plan's.
  struct Entry: Encodable {
    /// The plan's file, or the ratio asked for.
    let name: String
    /// nil where none was measured.
    var perplexity: Double?
    let figures: PlanFigures
    /// Of measured counts, in nats per token; nil for others.
    let predictedLoss: Double?
    /// Of questions; nil where none were put.
    var tasks: TaskSummary?

    init(_ candidate: EvaluationPlans.Candidate) {
      name = candidate.name
      figures = candidate.figures
      predictedLoss = candidate.predictedLoss
    }

    func encode(to encoder: any Encoder) throws {
      try figures.encode(to: encoder)
      var container = encoder.container(keyedBy: CodingKeys.self)
      try container.encode(name, forKey: .name)
      try container.encodeIfPresent(perplexity, forKey: .perplexity)
      try container.encodeIfPresent(predictedLoss, forKey: .predictedLoss)
      try container.encodeIfPresent(tasks, forKey: .tasks)
    }

    private enum CodingKeys: String, CodingKey { case name, perplexity, predictedLoss, tasks }
  }

  /// exp of the mean negative log-likelihood over tokens 1… of every sample; nil, as what follows,
  /// where none was measured.
  var perplexity: Double?
  /// Tokens that were predicted.
  var tokens: Int?
  /// Tokens that the model sees at once, and from one window to the next.
  var window: Int?
  var stride: Int?
  /// The model as it is; nil where no plan was asked for.
  var dense: PlanFigures?
  var plans: [Entry]?
  /// Of questions; nil where none were put.
  var tasks: TaskSummary?

  /// - Parameter losses: the model's as it is, then of each plan.
  mutating func add(_ losses: [LossSum], _ windows: OverlappingWindows) {
    window = windows.window
    stride = windows.stride
    perplexity = losses[0].perplexity
    tokens = losses[0].tokenCount
    for index in (plans ?? []).indices {
      plans![index].perplexity = losses[index + 1].perplexity
    }
  }

  /// - Parameter answers: the model's as it is, then of each plan.
  mutating func add(_ answers: [[QuestionPass.Answered]]) {
    tasks = TaskSummary(answers[0])
    for index in (plans ?? []).indices { plans![index].tasks = TaskSummary(answers[index + 1]) }
  }

  /// - Parameter width: columns of the terminal; nil: any.
  func table(_ width: Int?) -> String {
    [perplexityTable(width), taskTable].compactMap { $0 }.joined(separator: "\n\n")
  }

  private var taskTable: String? {
    guard let tasks else { return nil }
    let named = (plans ?? []).compactMap { plan in plan.tasks.map { (plan.name, $0) } }
    return TaskSummary.table([(named.isEmpty ? "" : "dense", tasks)] + named)
  }

  private func perplexityTable(_ width: Int?) -> String? {
    guard let perplexity, let tokens, let window, let stride else { return nil }
    let extent =
      "\(tokens) tokens in windows of \(window)" + (stride < window ? ", stride \(stride)" : "")
    guard let dense, let plans else {
      return String(format: "perplexity %.4f over ", perplexity) + extent
    }
    let predicts = plans.contains { $0.predictedLoss != nil }
    func number(_ value: Double) -> String { String(format: "%.4f", value) }
    var table = Table(
      PlanFigures.heading + ["perplexity"] + (predicts ? ["nats lost", "predicted"] : []))
    table.add("dense", dense.row + [number(perplexity)] + (predicts ? ["", ""] : []))
    for plan in plans {
      let pruned = plan.perplexity ?? .nan
      let losses = [
        number(log(pruned / perplexity)), plan.predictedLoss.map(number) ?? "",
      ]
      table.add(
        plan.name, plan.figures.row + [number(pruned)] + (predicts ? losses : []))
    }
    return "\(table.text(width))\nover \(extent)"
  }
}

extension LossSum {
  var perplexity: Double { exp(meanNegativeLogLikelihood) }
}
