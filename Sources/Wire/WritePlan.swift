public import FlapCore

/// All that a worker needs besides the model to write shards: what to keep, and what the removed
/// channels amount to on average.
public struct WritePlan: Hashable, Sendable {
  /// The mean activation of the pruned channels of one layer, in the order of the channels;
  /// empty when removed channels leave no bias behind.
  public struct Baselines: Hashable, Sendable {
    /// Channels that go into `self_attn.o_proj`.
    public var attentionOutput: [Double]
    /// Channels that go into `mlp.down_proj`.
    public var mlpDown: [Double]

    public init(attentionOutput: [Double] = [], mlpDown: [Double] = []) {
      self.attentionOutput = attentionOutput
      self.mlpDown = mlpDown
    }

    public subscript(tap: Tap) -> [Double] {
      switch tap {
      case .attentionOutput: attentionOutput
      case .mlpDown: mlpDown
      }
    }
  }

  public var plan: PruningPlan
  /// One entry per decoder layer.
  public var baselines: [Baselines]

  public init(plan: PruningPlan, baselines: [Baselines]) {
    self.plan = plan
    self.baselines = baselines
  }
}
