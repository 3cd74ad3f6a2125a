public import FlapCore

/// All that a worker needs besides the model to write shards: what to keep, and what the removed
/// channels amount to on average.
public struct WritePlan: Hashable, Sendable {
  public var plan: PruningPlan
  /// The mean activation of the pruned channels of each layer's taps, in the order of the channels;
  /// nil when removed channels leave no bias behind.
  public var baselines: [PerTap<[Double]>]?
  /// What takes the places of experts that go, [layer][expert that goes][hidden]; nil where nothing does.
  public var expertMeans: [[[Double]]]?

  public init(
    plan: PruningPlan, baselines: [PerTap<[Double]>]? = nil, expertMeans: [[[Double]]]? = nil
  ) {
    self.expertMeans = expertMeans
    self.plan = plan
    self.baselines = baselines
  }
}
