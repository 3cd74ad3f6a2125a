internal import Checkpoint
internal import Coordination
internal import FlapCore
internal import Logging
internal import Pruning
internal import Statistics

/// Losses of the dense model, and of what several plans leave of it, one after another over the same
/// samples.
struct EvaluationSweep {
  private let pass: SampledPass
  private let shape: ModelShape
  private let plans: [(name: String, plan: PruningPlan, broadcast: PlanBroadcast)]

  init(
    _ pass: SampledPass, _ shape: ModelShape,
    _ plans: [(name: String, plan: PruningPlan, broadcast: PlanBroadcast)]
  ) {
    self.pass = pass
    self.shape = shape
    self.plans = plans
  }

  /// Over all of them: one time left, whichever is at work.
  ///
  /// - Parameter tokenCount: of one model; nil: that of the samples.
  func meter(_ console: Console, tokenCount: Double? = nil) -> ProgressMeter {
    console.meter(
      "evaluation", unit: "tokens",
      total: (tokenCount ?? Double(pass.tokenCount)) * Double(plans.count + 1))
  }

  /// - Parameters:
  ///   - meter: over all of them.
  ///   - note: hears each result as it comes, with the plan's name.
  /// - Returns: the dense model's first.
  func run(
    _ session: inout ClusterSession, meter: ProgressMeter,
    note: (_ name: String, _ loss: LossSum) -> Void
  ) throws -> [LossSum] {
    let meters = meter.parts(items)
    let dense = try session.evaluate(pass, shape: shape, meter: meters[0])
    note("dense", dense)
    var losses = [dense]
    for (plan, meter) in zip(plans, meters.dropFirst()) {
      let loss = try session.evaluate(
        pass, by: plan.broadcast, shape: shape, meter: meter)
      note(plan.name, loss)
      losses.append(loss)
    }
    return losses
  }

  /// With what they cost: pruned models take less time.
  private var items: [(name: String?, cost: Double)] {
    guard !plans.isEmpty else { return [(nil, 1)] }
    return [("dense", Double(shape.operationsPerToken))]
      + plans.map { ($0.name, Double($0.plan.prunedShape(of: shape).operationsPerToken)) }
  }
}

extension Console {
  /// One of several results, as it comes.
  func noteResult(_ name: String, _ loss: LossSum) {
    log.info("evaluation (\(name)): perplexity \(Format.perplexity(loss.perplexity))")
  }
}
