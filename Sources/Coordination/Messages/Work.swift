public import FlapCore
public import Statistics

/// What a worker is asked to do.
public enum Work: Hashable, Sendable {
  /// Run the model over the samples of a work unit and report statistics of these kinds, merged up
  /// to its node: of the model as it is, or as the plan that was broadcast with this digest would
  /// leave it.
  case measureSamples([StatisticKind], WorkUnit, plan: Digest? = nil)
  /// Report statistics of these kinds of the weights of one layer.
  case measureWeights([StatisticKind], layer: Int)
  /// Write shard `index` of the pruned checkpoint into the output folder of the plan.
  case writeShard(index: Int)
}

extension Work {
  public enum Kind: Int, Hashable, Sendable, CaseIterable {
    case measureSamples, measureWeights, writeShard
  }

  public var kind: Kind {
    switch self {
    case .measureSamples: .measureSamples
    case .measureWeights: .measureWeights
    case .writeShard: .writeShard
    }
  }

  /// Whether it refers to the plan that was broadcast last.
  public var needsPlan: Bool {
    switch self {
    case .measureSamples(_, _, let plan): plan != nil
    case .writeShard: true
    case .measureWeights: false
    }
  }

  /// What the work is, for people.
  public var name: String {
    switch self {
    case .measureSamples(let kinds, let unit, _):
      (kinds == [LossSum.kind]
        ? "evaluation" : unit.scales == nil ? "calibration" : "second moments")
        + " of work unit \(unit.node.level)/\(unit.node.index)"
    case .measureWeights(_, let layer): "weight norms of layer \(layer)"
    case .writeShard(let index): "shard \(index)"
    }
  }
}

/// The samples of one node of the canonical tree: what a worker takes through the model together.
public struct WorkUnit: Hashable, Sendable {
  public let node: TreeNode
  /// Samples in each leaf of the node, in order; all but the run's last leaf are equal.
  public let samplesPerLeaf: [Int]
  public let tokensPerSample: Int
  /// Token ids, row-major [samples, tokensPerSample].
  public let tokens: [Int32]
  /// Of the fixed point of second moments; nil: none are to be measured.
  public let scales: ChannelScales?

  /// - Precondition: `tokens` holds as many ids as the samples have.
  public init(
    node: TreeNode, samplesPerLeaf: [Int], tokensPerSample: Int, tokens: [Int32],
    scales: ChannelScales? = nil
  ) {
    precondition(tokens.count == samplesPerLeaf.reduce(0, +) * tokensPerSample)
    self.node = node
    self.samplesPerLeaf = samplesPerLeaf
    self.tokensPerSample = tokensPerSample
    self.tokens = tokens
    self.scales = scales
  }
}
