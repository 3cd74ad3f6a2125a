internal import Checkpoint
internal import Chronicle
internal import Coordination
internal import Export
internal import FlapCore
internal import Journal
internal import Logging
internal import Pruning
internal import Statistics
public import SystemPackage

/// `flap-coord eval`: perplexity of a model, dense or pruned, and of what plans would leave of it; and
/// how well it answers questions.
public struct EvaluationRun: Sendable {
  let model: FilePath
  /// nil: no perplexity is measured.
  let data: FilePath?
  /// Tokens from a window of text to the next; nil: windows do not overlap.
  let stride: Int?
  let tasks: TaskOptions
  let pruning: EvaluationPlans
  let forward: ForwardOptions
  let cluster: ClusterOptions

  public init(
    model: FilePath, data: FilePath?, stride: Int?, tasks: TaskOptions, pruning: EvaluationPlans,
    forward: ForwardOptions, cluster: ClusterOptions
  ) {
    self.tasks = tasks
    self.model = model
    self.data = data
    self.stride = stride
    self.pruning = pruning
    self.forward = forward
    self.cluster = cluster
  }

  public func run(_ console: Console) throws {
    let cluster = try ClusterPlan(cluster)
    if case .none = cluster.launcher, data != nil, stride != nil || !tasks.isEmpty {
      let option = stride != nil ? "--stride" : "--tasks beside --data"
      throw UsageError("\(option) starts workers twice: leave out --launcher none")
    }
    let inputs = try RunInputs(model: model, console.log)
    let questions = try tasks.pass(inputs, forward, cluster, console)
    let pass = try data.map {
      try inputs.evaluationPass(over: $0, forward, cluster, stride: stride, console)
    }
    let candidates = try pruning.candidates(inputs, console.log)
    var summary = EvaluationSummary()
    if !candidates.isEmpty {
      summary.dense = PlanFigures(dense: inputs.shape)
      summary.plans = candidates.map { EvaluationSummary.Entry($0) }
    }
    if let pass {
      let losses = try self.losses(pass, inputs, candidates, cluster, console)
      summary.add(losses.losses, losses.windows)
    }
    if let questions {
      let answers = try self.answers(questions, inputs, candidates, cluster, console)
      summary.add(answers)
      try tasks.write(answers, names: ["dense"] + candidates.map(\.name))
    }
    try console.show(summary, table: summary.table(console.width))
  }

  /// Of the dense model, and of what each plan leaves of it.
  private func losses(
    _ pass: SampledPass, _ inputs: RunInputs, _ candidates: [EvaluationPlans.Candidate],
    _ cluster: ClusterPlan, _ console: Console
  ) throws -> (losses: [LossSum], windows: OverlappingWindows) {
    let overlap = OverlappingWindows(
      window: pass.tokens.tokensPerSample, stride: stride ?? pass.tokens.tokensPerSample)
    let context = overlap.contexts(of: pass, options: forward, cluster)
    let passes = [pass] + (context.map { [$0] } ?? [])
    let sweeps = passes.map { pass in
      EvaluationSweep(pass, inputs.shape, candidates.map { ($0.name, $0.plan, $0.broadcast) })
    }
    let tokenCounts = passes.map { Double($0.tokenCount) }
    let meters = sweeps[0].meter(console, tokenCount: tokenCounts.reduce(0, +))
      .parts(tokenCounts.map { (nil, $0) })
    let losses = try passes.indices.map { index in
      try session(inputs, passes[index], RunIdentity(inputs, passes[index]), cluster, console) {
        try sweeps[index].run(&$0, meter: meters[index]) {
          // Of windows that overlap nothing is known before the second pass.
          if context == nil, !candidates.isEmpty { console.noteResult($0, $1) }
        }
      }
    }
    guard context != nil else { return (losses[0], overlap) }
    return (zip(losses[0], losses[1]).map { overlap.loss($0, without: $1) }, overlap)
  }

  /// Of the dense model, and of what each plan leaves of it.
  private func answers(
    _ questions: QuestionPass, _ inputs: RunInputs, _ candidates: [EvaluationPlans.Candidate],
    _ cluster: ClusterPlan, _ console: Console
  ) throws -> [[QuestionPass.Answered]] {
    let models = [nil] + candidates.map { Optional($0) }
    let meters = console.meter(
      "questions", unit: "tokens", total: Double(questions.tokenCount * models.count)
    ).parts(
      models.map { candidate in
        (
          candidates.isEmpty ? nil : candidate?.name ?? "dense",
          Double(
            (candidate?.plan.prunedShape(of: inputs.shape) ?? inputs.shape).operationsPerToken)
        )
      })
    return try session(inputs, questions, RunIdentity(inputs, questions), cluster, console) {
      session in
      var answers: [[QuestionPass.Answered]] = []
      for (candidate, meter) in zip(models, meters) {
        answers.append(
          try session.answer(questions, by: candidate?.broadcast, meter: meter))
      }
      return answers
    }
  }

  /// Has workers of their own do something, and compares the model with what the plans were made of.
  private func session<Result>(
    _ inputs: RunInputs, _ pass: any ForwardPass, _ identity: RunIdentity,
    _ cluster: ClusterPlan, _ console: Console,
    _ body: (inout ClusterSession) throws -> Result
  ) throws -> Result {
    // There is no folder for events: only who asks hears of them.
    let chronicle = Chronicle(nil)
    chronicle.noteStart(identity, resuming: nil)
    var session = try ClusterSession(inputs, pass, cluster, console, chronicle: chronicle)
    let result = try session.guarded { session in
      let result = try body(&session)
      let fullDigest = try session.finishReference()
      for (path, recorded) in try pruning.fullDigests() {
        try inputs.check(full: recorded, fullDigest, of: path)
      }
      return result
    }
    try session.end()
    return result
  }
}
