internal import Checkpoint
internal import Coordination
internal import Export
internal import FlapCore
internal import Logging
public import Pruning
internal import Statistics
public import SystemPackage

/// The plans that `eval` tries, without a checkpoint being written.
public struct EvaluationPlans: Sendable {
  let plans: [FilePath]
  let search: SearchOptions?
  let statistics: FilePath?
  let secondMoments: FilePath?
  let compensation: CompensationMethod

  /// - Parameters:
  ///   - plans: files of plans.
  ///   - search: what to look for in the statistics; nil: nothing.
  ///   - statistics: for the compensation and for the search.
  ///   - secondMoments: for least squares.
  ///   - compensation: nil: bias; with second moments least squares.
  public init(
    plans: [FilePath], search: SearchOptions?, statistics: FilePath?, secondMoments: FilePath?,
    compensation: CompensationMethod?
  ) {
    self.plans = plans
    self.search = search
    self.statistics = statistics
    self.secondMoments = secondMoments
    self.compensation = compensation ?? (secondMoments == nil ? .bias : .leastSquares)
  }

  /// One plan to try.
  struct Candidate {
    let name: String
    let plan: PruningPlan
    let figures: PlanFigures
    /// Of measured counts, in nats per token; nil for others.
    var predictedLoss: Double?
    let broadcast: PlanBroadcast
  }

  /// All of them, checked, before any worker starts.
  func candidates(_ inputs: RunInputs, _ log: Logger) throws -> [Candidate] {
    guard !plans.isEmpty || search != nil else {
      guard statistics == nil else {
        throw UsageError("--statistics goes with --plan or --ratio")
      }
      return []
    }
    guard search == nil || statistics != nil else {
      throw UsageError("--ratio needs --statistics")
    }
    let planFiles = try plans.map { (path: $0, plan: try PlanFile(path: $0)) }
    let takesCompensation = search != nil || planFiles.contains { $0.plan.takesCompensation }
    let file = try inputs.openStatistics(
      statistics, isNeeded: takesCompensation && compensation != .none)
    try checkSecondMoments(inputs, file)
    var candidates: [Candidate] = []
    for (path, plan) in planFiles {
      try inputs.check(plan.modelDigest, of: path)
      candidates.append(
        try candidate(
          path.string, plan.plan, ratioAsked: plan.ratioAsked, isUniform: plan.isUniform,
          takesCompensation: plan.takesCompensation, file, inputs, log))
    }
    guard let search, let file else { return candidates }
    let fitting = try search.fitting(
      modelType: inputs.checkpoint.configuration.modelType, inputs.shape)
    let found = try fitting.results(file.statistics, shape: inputs.shape)
    for (options, result) in found {
      var candidate = try candidate(
        options.amount, result.plan, ratioAsked: options.search.ratio,
        isUniform: options.isUniform,
        takesCompensation: options.takesCompensation, file, inputs, log)
      candidate.predictedLoss = result.predictedLoss
      candidates.append(candidate)
    }
    return candidates
  }

  private func checkSecondMoments(_ inputs: RunInputs, _ statistics: StatisticsFile?) throws {
    guard compensation == .leastSquares else {
      guard secondMoments == nil else {
        throw UsageError("--second-moments goes with --compensation least-squares")
      }
      return
    }
    guard let secondMoments else {
      throw UsageError(
        "--compensation least-squares needs --second-moments, which flap-coord calibrate "
          + "--second-moments makes")
    }
    try inputs.check(secondMoments: secondMoments, statistics)
  }

  /// What the files say of every bit of their model.
  func fullDigests() throws -> [(path: FilePath, recorded: Digest?)] {
    var digests: [(path: FilePath, recorded: Digest?)] = []
    for path in plans { digests.append((path, try PlanFile(path: path).fullDigest)) }
    if let statistics {
      digests.append((statistics, try StatisticsFile(path: statistics).fullDigest))
    }
    return digests
  }

  private func candidate(
    _ name: String, _ plan: PruningPlan, ratioAsked: Double, isUniform: Bool,
    takesCompensation: Bool, _ file: StatisticsFile?, _ inputs: RunInputs, _ log: Logger
  ) throws -> Candidate {
    let compensation = try inputs.compensation(
      takesCompensation && file?.statistics.moments != nil ? compensation : .none,
      isUniform: isUniform, log)
    let compensates = compensation != .none
    return Candidate(
      name: name, plan: plan,
      figures: PlanFigures(
        plan, of: inputs.shape, ratioAsked: ratioAsked, compensating: compensates),
      broadcast: PlanBroadcast(
        plan, of: inputs.shape,
        means: compensates ? try file?.statistics.inputMeans(of: inputs.shape) : nil,
        expertMeans: try inputs.expertMeans(of: plan, file),
        secondMoments: compensation == .leastSquares ? secondMoments : nil, isUniform: isUniform,
        outputDirectory: nil, maximumShardBytes: Int(Int32.max)))
  }
}
