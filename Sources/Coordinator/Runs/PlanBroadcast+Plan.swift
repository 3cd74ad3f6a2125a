internal import Checkpoint
internal import Coordination
internal import Export
internal import FlapCore
internal import Logging
internal import Pruning
internal import Statistics
internal import Storage
internal import Wire

extension PlanBroadcast {
  /// What workers need of a plan.
  ///
  /// - Parameters:
  ///   - moments: for the compensation; nil leaves it out.
  ///   - isUniform: whether a class of transformers itself loads what is left.
  init(
    _ plan: PruningPlan, of shape: ModelShape, moments: ModelMoments?, isUniform: Bool,
    outputDirectory: String?, maximumShardBytes: Int
  ) {
    let payload = WritePlan(plan, of: shape, compensatedBy: moments).bytes(shape: shape)
    self.init(
      outputDirectory: outputDirectory, maximumShardBytes: maximumShardBytes,
      isUniform: isUniform, digest: Digest(hashing: payload), payload: payload)
  }
}

extension WritePlan {
  /// With the baselines: mean activations of the channels that go.
  init(_ plan: PruningPlan, of shape: ModelShape, compensatedBy moments: ModelMoments?) {
    let baselines = moments?.layers.enumerated().map { layer, moments in
      PerTap { tap in
        Compensation(
          mean: moments[tap].mean,
          keptChannels: plan.keptChannels(layer: layer, tap: tap, shape: shape)
        ).baselines
      }
    }
    self.init(plan: plan, baselines: baselines)
  }
}

extension RunInputs {
  /// Whether what is asked for can be had: a class of transformers itself may have no place for
  /// the biases of the compensation.
  func compensates(_ isAskedFor: Bool, isUniform: Bool, _ log: Logger) throws -> Bool {
    guard isAskedFor, isUniform else { return isAskedFor }
    let transformersClass = try TransformersClass(modelType: checkpoint.configuration.modelType)
    if !transformersClass.takesCompensation {
      log.notice(
        "\(transformersClass.architecture) has no biases on o_proj and down_proj: compensation left out"
      )
    }
    return transformersClass.takesCompensation
  }
}
