internal import Checkpoint
internal import Coordination
internal import FlapCore
internal import Statistics

extension CoordinatorSettings {
  /// What a run asks of its workers, and how long it waits for them.
  ///
  /// - Parameter pass: what the workers will run the model over, if they will.
  init(_ inputs: RunInputs, _ pass: (any ForwardPass)?, _ plan: ClusterPlan, runID: String) {
    let deadAfter = Duration.seconds(plan.options.deadAfterSeconds)
    let terms =
      pass.map {
        Welcome(runID: runID, pass: $0, workerCount: plan.workerCount, deadAfter: deadAfter)
      } ?? Welcome(runID: runID, workerCount: plan.workerCount, deadAfter: deadAfter)
    self.init(
      welcome: terms, modelDigest: inputs.checkpoint.digest,
      maximumReportBytes: max(
        pass?.reportByteCount ?? 0,
        StatisticReport.largestByteCount(
          pass?.tapKinds ?? StatisticCatalog.standard.kinds(atTapsOf: inputs.shape),
          inputs.shape)))
    // No shard is larger than the weights and the biases that are added.
    maximumShardBytes = inputs.checkpoint.byteCount * 2
    self.deadAfter = max(deadAfter, terms.heartbeatInterval * 3)
    hungAfter = .seconds(plan.options.hungAfterSeconds)
    joinLimit = .seconds(plan.options.joinLimitSeconds)
    isStrict = plan.options.isStrict
  }
}
