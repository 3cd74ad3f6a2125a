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

  var table: String {
    [perplexityTable, taskTable].compactMap { $0 }.joined(separator: "\n\n")
  }

  private var taskTable: String? {
    guard let tasks else { return nil }
    let named = (plans ?? []).compactMap { plan in plan.tasks.map { (plan.name, $0) } }
    return TaskSummary.table([(named.isEmpty ? "" : "dense", tasks)] + named)
  }

  private var perplexityTable: String? {
    guard let perplexity, let tokens, let window, let stride else { return nil }
    let extent =
      "\(tokens) tokens in windows of \(window)" + (stride < window ? ", stride \(stride)" : "")
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
        let pruned = plan.perplexity ?? .nan
        return line(
          plan.name, plan.figures.row, number(pruned),
          [number(log(pruned / perplexity)), plan.predictedLoss.map(number) ?? ""])
      }
      + ["over \(extent)"]).joined(separator: "\n")
  }
}

extension LossSum {
  var perplexity: Double { exp(meanNegativeLogLikelihood) }
}
