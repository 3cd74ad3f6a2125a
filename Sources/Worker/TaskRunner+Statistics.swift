internal import Coordination
internal import FlapCore
internal import Kernels
internal import Statistics
internal import Transformer

/// The measuring kinds of work.
extension TaskRunner {
  /// The merged moments of a block: leaf by leaf from the taps, merged along the canonical tree.
  func calibrate(_ block: TokenBlock) throws -> ModelMoments {
    let transformer = try makeTransformer()
    var reducers = shape.layers.map { _ in LayerReducers(block) }
    progress.expect(steps: shape.layers.count * Tap.allCases.count * block.samplesPerLeaf.count)
    try transformer.forward(block: block.leaves) { tap in
      let moments = try transformer.moments(of: tap, firstSample: block.firstSample(ofLeaf: tap.leafIndex))
      reducers[tap.layer].accept(moments, of: tap.tap, leaf: block.firstLeaf + tap.leafIndex)
      try progress.step()
    }
    return ModelMoments(
      sampleCount: block.samplesPerLeaf.reduce(0, +), layers: reducers.map(\.result))
  }

  /// The merged loss of a block.
  func evaluate(_ block: TokenBlock) throws -> LossSum {
    let transformer = try makeTransformer()
    var reducer = block.makeReducer(of: LossSum.self)
    progress.expect(steps: shape.layers.count * block.samplesPerLeaf.count)
    let losses = try transformer.negativeLogLikelihood(block: block.leaves) { try progress.step() }
    for (index, loss) in losses.enumerated() {
      let sum = LossSum(negativeLogLikelihood: loss.sum, tokenCount: loss.tokenCount)
      let acceptance = reducer.accept(sum, of: .leaf(block.firstLeaf + index))
      precondition(acceptance == .accepted)
    }
    return reducer.result!
  }
}

/// The reducers of one layer's taps up to the block's node.
private struct LayerReducers {
  private var attentionOutput: TreeReducer<ChannelMoments>
  private var mlpDown: TreeReducer<ChannelMoments>

  init(_ block: TokenBlock) {
    attentionOutput = block.makeReducer(of: ChannelMoments.self)
    mlpDown = attentionOutput
  }

  mutating func accept(_ moments: ChannelMoments, of tap: Tap, leaf: Int) {
    let acceptance =
      switch tap {
      case .attentionOutput: attentionOutput.accept(moments, of: .leaf(leaf))
      case .mlpDown: mlpDown.accept(moments, of: .leaf(leaf))
      }
    precondition(acceptance == .accepted, "the forward pass visits every leaf once")
  }

  var result: LayerMoments {
    LayerMoments(attentionOutput: attentionOutput.result!, mlpDown: mlpDown.result!)
  }
}

extension TokenBlock {
  /// The first of the node's leaves.
  var firstLeaf: Int { node.index << node.level }

  var leaves: [Leaf] {
    var next = 0
    return samplesPerLeaf.map { sampleCount in
      defer { next += sampleCount * tokensPerSample }
      return Leaf(
        tokens: Array(tokens[next..<next + sampleCount * tokensPerSample]),
        sampleCount: sampleCount, tokensPerSample: tokensPerSample)
    }
  }

  /// The run's number of a leaf's first sample: all leaves before the node are full.
  func firstSample(ofLeaf index: Int) -> Int {
    firstLeaf * samplesPerLeaf[0] + samplesPerLeaf[..<index].reduce(0, +)
  }

  /// A reducer whose target is the node. Below a node the tree looks the same however many leaves
  /// follow, so it is enough to know those up to here.
  func makeReducer<Value>(of _: Value.Type) -> TreeReducer<Value> {
    TreeReducer(
      tree: CanonicalTree(leafCount: firstLeaf + samplesPerLeaf.count), target: node)
  }
}
