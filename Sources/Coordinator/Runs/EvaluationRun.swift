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
    try console.show(summary, table: summary.table)
  }

  /// Of the dense model, and of what each plan leaves of it.
  private func losses(
    _ pass: SampledPass, _ inputs: RunInputs, _ candidates: [EvaluationPlans.Candidate],
    _ cluster: ClusterPlan, _ console: Console
  ) throws -> (losses: [LossSum], windows: OverlappingWindows) {
    var losses = try each(inputs, pass, RunIdentity(inputs, pass), candidates, cluster, console) {
      try $0.evaluate(pass, by: $1, shape: inputs.shape, console)
    }
    let overlap = OverlappingWindows(
      window: pass.tokens.tokensPerSample, stride: stride ?? pass.tokens.tokensPerSample)
    if let context = overlap.contexts(of: pass, options: forward, cluster) {
      let repeated = try each(
        inputs, context, RunIdentity(inputs, context), candidates, cluster, console
      ) {
        try $0.evaluate(context, by: $1, shape: inputs.shape, console)
      }
      losses = zip(losses, repeated).map { overlap.loss($0, without: $1) }
    }
    return (losses, overlap)
  }

  /// Of the dense model, and of what each plan leaves of it.
  private func answers(
    _ questions: QuestionPass, _ inputs: RunInputs, _ candidates: [EvaluationPlans.Candidate],
    _ cluster: ClusterPlan, _ console: Console
  ) throws -> [[QuestionPass.Answered]] {
    try each(
      inputs, questions, RunIdentity(inputs, questions), candidates, cluster, console
    ) {
      try $0.answer(questions, by: $1, console)
    }
  }

  /// Has workers measure the dense model and then what each plan leaves of it.
  private func each<Figure>(
    _ inputs: RunInputs, _ pass: any ForwardPass, _ identity: RunIdentity,
    _ candidates: [EvaluationPlans.Candidate], _ cluster: ClusterPlan, _ console: Console,
    _ measure: (inout ClusterSession, PlanBroadcast?) throws -> Figure
  ) throws -> [Figure] {
    // There is no folder for events: only who asks hears of them.
    let chronicle = Chronicle(nil)
    chronicle.noteStart(identity, resuming: nil)
    var session = try ClusterSession(inputs, pass, cluster, console, chronicle: chronicle)
    let figures = try session.guarded { session in
      var figures = [try measure(&session, nil)]
      for candidate in candidates {
        figures.append(try measure(&session, candidate.broadcast))
      }
      let fullDigest = try session.reference.finish()
      for (path, recorded) in try pruning.fullDigests() {
        try inputs.check(full: recorded, fullDigest, of: path)
      }
      return figures
    }
    try session.end()
    return figures
  }
}
