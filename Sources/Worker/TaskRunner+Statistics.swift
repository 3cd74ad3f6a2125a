internal import Checkpoint
internal import Coordination
internal import FlapCore
internal import Kernels
internal import Statistics
internal import Transformer

/// The measuring kinds of work.
extension TaskRunner {
  /// The merged moments of a block: leaf by leaf from the taps, merged along the canonical tree.
  func calibrate(_ block: TokenBlock) throws -> ModelMoments {
    progress.expect(steps: shape.layers.count * Tap.allCases.count * block.samplesPerLeaf.count)
    var reducers = shape.layers.map { _ in LayerReducers(block) }
    try model().forward(block: block.leaves) { input in
      let moments = try moments(of: input, block)
      reducers[input.layer].accept(moments, of: input.tap, leaf: block.firstLeaf + input.leafIndex)
      try progress.step()
    }
    return ModelMoments(
      sampleCount: block.samplesPerLeaf.reduce(0, +), layers: reducers.map(\.result))
  }

  private func moments(of input: Llama.TapInput, _ block: TokenBlock) throws -> ChannelMoments {
    if let (channel, sample) = input.nonFinite {
      let leaf = block.firstLeaf + input.leafIndex
      throw TransformerError.nonFinite(
        layer: input.layer, tap: input.tap, channel: channel,
        sample: leaf * samplesPerLeaf + sample)
    }
    let columns = input.moments
    return ChannelMoments(count: columns.count, mean: columns.mean, m2: columns.m2)
  }

  /// The merged loss of a block.
  ///
  /// - Parameter pruning: what to leave out of the model.
  func evaluate(_ block: TokenBlock, pruning: ModelPruning?) throws -> LossSum {
    let model = model()
    model.pruning = pruning
    defer { model.pruning = nil }
    progress.expect(steps: model.lossStepCount * block.samplesPerLeaf.count)
    var reducer = block.makeReducer(of: LossSum.self)
    let losses = try model.negativeLogLikelihood(block: block.leaves) { try progress.step() }
    for (index, loss) in losses.enumerated() {
      let sum = LossSum(negativeLogLikelihood: loss.sum, tokenCount: loss.tokenCount)
      let acceptance = reducer.accept(sum, of: .leaf(block.firstLeaf + index))
      precondition(acceptance == .accepted, "the forward pass visits every leaf once")
    }
    return reducer.result!
  }

  /// The norms of one layer's `o_proj` and `down_proj`, per input channel.
  func measureWeights(_ layer: Int) throws -> LayerWeightNorms {
    progress.expect(steps: Tap.allCases.count)
    return LayerWeightNorms(
      attentionOutput: try norms(layer, .attentionOutput), mlpDown: try norms(layer, .mlpDown))
  }

  private func norms(_ layer: Int, _ tap: Tap) throws -> WeightNorms {
    let channels = shape.channelCount(layer: layer, tap: tap)
    let view = try checkpoint.tensor(
      "\(tap.moduleName(layer: layer)).weight", shape: [shape.hiddenSize, channels])
    var accumulator = WeightNormsAccumulator(channelCount: channels)
    withUnsafeTemporaryAllocation(of: Float.self, capacity: channels) { row in
      for index in 0..<shape.hiddenSize {
        Conversion.toFloat32(
          view.rows(index..<index + 1).bytes.baseAddress!, view.elementType, count: channels,
          to: row.baseAddress!)
        accumulator.add(row: UnsafeBufferPointer(row))
      }
    }
    try progress.step()
    return accumulator.norms
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

  /// A reducer whose target is the node. Below a node the tree looks the same however many leaves
  /// follow, so it is enough to know those up to here.
  func makeReducer<Value>(of _: Value.Type) -> TreeReducer<Value> {
    TreeReducer(
      tree: CanonicalTree(leafCount: firstLeaf + samplesPerLeaf.count), target: node)
  }
}
