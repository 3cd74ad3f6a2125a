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

/// `flap-coord eval`: perplexity of a model, dense or pruned, and of what plans would leave of it.
public struct EvaluationRun: Sendable {
  let model: FilePath
  let data: FilePath
  /// Tokens from a window of text to the next; nil: windows do not overlap.
  let stride: Int?
  let pruning: EvaluationPlans
  let forward: ForwardOptions
  let cluster: ClusterOptions

  public init(
    model: FilePath, data: FilePath, stride: Int?, pruning: EvaluationPlans,
    forward: ForwardOptions, cluster: ClusterOptions
  ) {
    self.model = model
    self.data = data
    self.stride = stride
    self.pruning = pruning
    self.forward = forward
    self.cluster = cluster
  }

  public func run(_ console: Console) throws {
    let cluster = try ClusterPlan(cluster)
    if stride != nil, case .none = cluster.launcher {
      throw UsageError("--stride starts workers twice: leave out --launcher none")
    }
    let inputs = try RunInputs(model: model, console.log)
    let pass = try inputs.evaluationPass(over: data, forward, cluster, stride: stride, console)
    let candidates = try pruning.candidates(inputs, console.log)
    let overlap = OverlappingWindows(
      window: pass.tokens.tokensPerSample, stride: stride ?? pass.tokens.tokensPerSample)
    let context = overlap.contexts(of: pass, options: forward, cluster)
    let tokenCounts = [pass, context].compactMap { $0.map { Double($0.tokenCount) } }
    let meters = sweep(pass, inputs, candidates)
      .meter(console, tokenCount: tokenCounts.reduce(0, +))
      .parts(tokenCounts.map { (nil, $0) })
    // Of windows that overlap nothing is known before the second pass.
    var losses = try self.losses(
      pass, inputs, candidates, cluster, meters[0], console, telling: context == nil)
    if let context {
      let repeated = try self.losses(
        context, inputs, candidates, cluster, meters[1], console, telling: false)
      losses = zip(losses, repeated).map { overlap.loss($0, without: $1) }
    }
    var summary = EvaluationSummary(losses[0], overlap)
    if !candidates.isEmpty {
      summary.dense = PlanFigures(dense: inputs.shape)
      summary.plans = zip(candidates, losses.dropFirst()).map { candidate, loss in
        EvaluationSummary.Entry(
          name: candidate.name, perplexity: loss.perplexity, figures: candidate.figures,
          predictedLoss: candidate.predictedLoss)
      }
    }
    try console.show(summary, table: summary.table(console.width))
  }

  private func sweep(
    _ pass: SampledPass, _ inputs: RunInputs, _ candidates: [EvaluationPlans.Candidate]
  ) -> EvaluationSweep {
    EvaluationSweep(pass, inputs.shape, candidates.map { ($0.name, $0.plan, $0.broadcast) })
  }

  /// Of the dense model, and of what each plan leaves of it.
  private func losses(
    _ pass: SampledPass, _ inputs: RunInputs, _ candidates: [EvaluationPlans.Candidate],
    _ cluster: ClusterPlan, _ meter: ProgressMeter, _ console: Console, telling: Bool
  ) throws -> [LossSum] {
    // There is no folder for events: only who asks hears of them.
    let chronicle = Chronicle(nil)
    chronicle.noteStart(RunIdentity(inputs, pass), resuming: nil)
    var session = try ClusterSession(inputs, pass, cluster, console, chronicle: chronicle)
    let losses = try session.guarded { session in
      let losses = try sweep(pass, inputs, candidates).run(&session, meter: meter) {
        if telling, !candidates.isEmpty { console.noteResult($0, $1) }
      }
      let fullDigest = try session.finishReference()
      for (path, recorded) in try pruning.fullDigests() {
        try inputs.check(full: recorded, fullDigest, of: path)
      }
      return losses
    }
    try session.end()
    return losses
  }
}
