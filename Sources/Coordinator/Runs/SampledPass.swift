internal import Checkpoint
internal import Coordination
internal import FlapCore
internal import Kernels
internal import Statistics
internal import Transformer

/// A pass of the model over samples: how they are split, and the terms on which workers take part.
struct SampledPass {
  let shape: ModelShape
  let tokens: TokenMatrix
  let layout: LeafLayout
  let compute: ComputeType
  /// The level of the tree whose nodes are the tasks.
  let blockLevel: Int

  init(shape: ModelShape, tokens: TokenMatrix, options: ForwardOptions, workerCount: Int) {
    self.shape = shape
    self.tokens = tokens
    layout = LeafLayout(
      sampleCount: tokens.sampleCount, tokensPerSample: tokens.tokensPerSample,
      targetTokensPerLeaf: options.tokensPerLeaf)
    blockLevel = BlockPlanning.level(
      leafCount: layout.leafCount, workerCount: workerCount,
      maximumLeavesPerBlock: options.leavesPerBlock ?? BlockPlanning.defaultLeavesPerBlock)
    compute =
      switch options.compute {
      case .auto: KernelFingerprint.supportsBFloat16InHardware ? .bfloat16 : .float32
      case .bf16: .bfloat16
      case .f32: .float32
      }
  }

  var tokenCount: Int { tokens.sampleCount * tokens.tokensPerSample }

  var leavesPerBlock: Int { min(1 << blockLevel, layout.leafCount) }

  /// One task per node, in the order of the samples.
  var blocks: [TokenBlock] {
    layout.tree.nodes(atLevel: blockLevel).map { node in
      let samples = layout.samples(of: node)
      return TokenBlock(
        node: node, samplesPerLeaf: layout.tree.leaves(of: node).map(layout.samples(ofLeaf:)).map(\.count),
        tokensPerSample: tokens.tokensPerSample, tokens: Array(tokens.rows(samples)))
    }
  }

  func terms(runID: String) -> Welcome {
    Welcome(
      runID: runID, compute: compute, tokensPerSample: tokens.tokensPerSample,
      samplesPerLeaf: min(layout.samplesPerLeaf, tokens.sampleCount),
      leavesPerBlock: leavesPerBlock, heartbeatInterval: .seconds(1), lease: .seconds(30))
  }

  /// Peak anonymous memory of one worker.
  func workerMemory(threadCount: Int) -> MemoryEstimate {
    MemoryEstimate(
      shape: shape, compute: compute, threadCount: threadCount,
      tokensPerSample: tokens.tokensPerSample,
      samplesPerLeaf: min(layout.samplesPerLeaf, tokens.sampleCount),
      leavesPerBlock: leavesPerBlock)
  }
}
