public import FlapCore
public import Statistics

/// What a worker is asked to do.
public enum Work: Hashable, Sendable {
  /// Run the dense model over the samples of a node of the canonical tree and report the merged
  /// channel moments of every layer and tap.
  case calibrate(TokenBlock)
  /// Run the model over the samples of a node and report the merged negative log-likelihood: the
  /// model as it is, or as the plan that was broadcast with this digest would leave it.
  case evaluate(TokenBlock, plan: Digest? = nil)
  /// Report Σᵢ Wᵢⱼ² and meanᵢ |Wᵢⱼ| per input channel of one layer's `o_proj` and `down_proj`.
  case measureWeights(layer: Int)
  /// Write shard `index` of the pruned checkpoint into the output folder of the plan.
  case writeShard(index: Int)
}

extension Work {
  public enum Kind: Int, Hashable, Sendable, CaseIterable {
    case calibrate, evaluate, measureWeights, writeShard
  }

  public var kind: Kind {
    switch self {
    case .calibrate: .calibrate
    case .evaluate: .evaluate
    case .measureWeights: .measureWeights
    case .writeShard: .writeShard
    }
  }

  /// Whether it refers to the plan that was broadcast last.
  public var needsPlan: Bool {
    switch self {
    case .evaluate(_, let plan): plan != nil
    case .writeShard: true
    case .calibrate, .measureWeights: false
    }
  }

  /// What the work is, for people.
  public var name: String {
    switch self {
    case .calibrate(let block): "calibration of block \(block.node.level)/\(block.node.index)"
    case .evaluate(let block, _): "evaluation of block \(block.node.level)/\(block.node.index)"
    case .measureWeights(let layer): "weight norms of layer \(layer)"
    case .writeShard(let index): "shard \(index)"
    }
  }
}

/// The samples of one node of the canonical tree.
public struct TokenBlock: Hashable, Sendable {
  public let node: TreeNode
  /// Samples in each leaf of the node, in order; all but the run's last leaf are equal.
  public let samplesPerLeaf: [Int]
  public let tokensPerSample: Int
  /// Token ids, row-major [samples, tokensPerSample].
  public let tokens: [Int32]

  /// - Precondition: `tokens` holds as many ids as the samples have.
  public init(node: TreeNode, samplesPerLeaf: [Int], tokensPerSample: Int, tokens: [Int32]) {
    precondition(tokens.count == samplesPerLeaf.reduce(0, +) * tokensPerSample)
    self.node = node
    self.samplesPerLeaf = samplesPerLeaf
    self.tokensPerSample = tokensPerSample
    self.tokens = tokens
  }
}
