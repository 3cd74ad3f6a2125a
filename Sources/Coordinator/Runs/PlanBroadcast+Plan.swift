internal import Checkpoint
internal import Coordination
internal import Export
internal import FlapCore
internal import Logging
internal import Pruning
internal import Statistics
internal import Storage
internal import SystemPackage
internal import Wire

extension PlanBroadcast {
  /// What workers need of a plan.
  ///
  /// - Parameters:
  ///   - means: of the channels at every tap, for the compensation; nil leaves it out.
  ///   - expertMeans: what takes the places of experts; nil where nothing does.
  ///   - secondMoments: for least squares; nil: weights stay as they are.
  ///   - targetMoments: the folder of the pruned model's sums; nil: there is none.
  ///   - isUniform: whether a class of transformers itself loads what is left.
  init(
    _ plan: PruningPlan, of shape: ModelShape, means: [PerTap<[Double]>]?,
    expertMeans: [[[Double]]]? = nil,
    secondMoments: FilePath? = nil, targetMoments: FilePath? = nil, isUniform: Bool,
    outputDirectory: String?,
    maximumShardBytes: Int
  ) {
    var write = WritePlan(plan, of: shape, compensatedBy: means)
    write.expertMeans = expertMeans
    let payload = write.bytes(shape: shape)
    self.init(
      outputDirectory: outputDirectory, maximumShardBytes: maximumShardBytes,
      isUniform: isUniform, secondMoments: secondMoments?.absolute.string,
      targetMoments: targetMoments?.absolute.string,
      digest: Digest(hashing: payload), payload: payload)
  }
}

extension WritePlan {
  /// With the baselines: mean activations of the channels that go.
  init(_ plan: PruningPlan, of shape: ModelShape, compensatedBy means: [PerTap<[Double]>]?) {
    let baselines = means?.enumerated().map { layer, means in
      PerTap { tap in
        Compensation(
          mean: means[tap],
          keptChannels: plan.channelsWithoutBias(layer: layer, tap: tap, shape: shape)
        ).baselines
      }
    }
    self.init(plan: plan, baselines: baselines)
  }
}

extension RunInputs {
  /// Says of how many experts least squares fits no weights.
  func tellScarceExperts(_ statistics: ModelStatistics, _ log: Logger) {
    guard let activity = statistics[ExpertActivity.self] else { return }
    let scarce = zip(shape.layers, activity).reduce(0) { count, layer in
      let (shape, activity) = layer
      return count
        + activity.mlpDown.counts.count {
          !SecondMoments.areEnough(tokens: $0, channels: shape.intermediateSize)
        }
    }
    guard scarce > 0 else { return }
    log.warning(
      """
      \(scarce) experts saw fewer tokens than twice their neurons: least squares leaves their weights, and a \
      bias makes up for what goes; more samples would serve them
      """)
  }

  /// What can be had of what is asked for: a class of transformers itself may have no place for the
  /// biases of the compensation.
  ///
  /// - Throws: ``UsageError`` for least squares without them.
  func compensation(
    _ asked: CompensationMethod, isUniform: Bool, _ log: Logger
  ) throws -> CompensationMethod {
    guard asked != .none else { return .none }
    guard isUniform else { return asked }
    let transformersClass = try TransformersClass(modelType: checkpoint.configuration.modelType)
    guard !transformersClass.takesCompensation else { return asked }
    guard asked != .leastSquares else {
      throw UsageError(
        "\(transformersClass.architecture) has no biases on o_proj and down_proj, which least "
          + "squares needs: leave out --uniform, or choose --compensation none")
    }
    log.notice(
      "\(transformersClass.architecture) has no biases on o_proj and down_proj: compensation left out"
    )
    return .none
  }
}
