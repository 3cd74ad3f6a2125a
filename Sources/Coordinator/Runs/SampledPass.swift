internal import Checkpoint
internal import Coordination
internal import FlapCore
internal import Kernels
internal import Statistics

/// A pass of the model over samples: how they are split, and the terms on which workers take part.
struct SampledPass: ForwardPass {
  let shape: ModelShape
  let tokens: TokenMatrix
  let layout: LeafLayout
  let compute: ComputeType
  /// The level of the tree whose nodes are the tasks.
  let unitLevel: Int
  /// Whether the products of channels are summed, too, for least squares.
  let sumsProducts: Bool
  let askedOfExperts: Set<StatisticSource>

  init(
    shape: ModelShape, tokens: TokenMatrix, options: ForwardOptions, _ cluster: ClusterPlan,
    sumsProducts: Bool = false, askedOfExperts: Set<StatisticSource> = []
  ) {
    self.askedOfExperts = askedOfExperts
    self.shape = shape
    self.sumsProducts = sumsProducts
    self.tokens = tokens
    layout = LeafLayout(
      sampleCount: tokens.sampleCount, tokensPerSample: tokens.tokensPerSample,
      targetTokensPerLeaf: options.tokensPerLeaf)
    unitLevel = UnitPlanning.level(
      leafCount: layout.leafCount, workerCount: cluster.workerCount,
      lanesPerWorker: cluster.lanesPerWorker, leavesPerUnit: options.leavesPerUnit)
    compute = ComputeType(options.compute)
  }

  var tokensPerSample: Int { tokens.tokensPerSample }

  var tokenCount: Int { tokens.sampleCount * tokens.tokensPerSample }

  var samplesPerLeaf: Int { min(layout.samplesPerLeaf, tokens.sampleCount) }

  var leavesPerUnit: Int { min(1 << unitLevel, layout.leafCount) }

  /// The tasks that cover some nodes, in the order of the samples.
  func units(in nodes: [TreeNode]) -> [WorkUnit] { units(in: nodes, upToLevel: unitLevel) }

  /// The units over which sums of maps are taken: as large as can be, because every unit's sums are as
  /// large as all samples' are.
  func sumUnits(_ workerCount: Int) -> [WorkUnit] {
    units(
      in: [layout.tree.root],
      upToLevel: UnitPlanning.sumLevel(leafCount: layout.leafCount, workerCount: workerCount))
  }

  private func units(in nodes: [TreeNode], upToLevel level: Int) -> [WorkUnit] {
    nodes.flatMap { layout.tree.nodes(in: $0, upToLevel: level) }.map { node in
      let leaves = layout.tree.leaves(of: node)
      return WorkUnit(
        node: node, samplesPerLeaf: leaves.map { layout.samples(ofLeaf: $0).count },
        tokensPerSample: tokens.tokensPerSample,
        tokens: Array(tokens.rows(layout.samples(of: node))))
    }
  }
}

extension ComputeType {
  init(_ choice: ComputeChoice) {
    self =
      switch choice {
      case .auto: KernelFingerprint.supportsBFloat16InHardware ? .bfloat16 : .float32
      case .bf16: .bfloat16
      case .f32: .float32
      }
  }
}

extension Welcome {
  /// How long workers wait for an answer before they think of the run as gone: a little longer than
  /// the coordinator waits for them, so that it is the first to know.
  private static func lease(_ workerCount: Int, deadAfter: Duration) -> Duration {
    max(deadAfter + deadAfter / 5, heartbeatInterval(workerCount) * 4)
  }

  /// How often workers say that they are alive: so that there are at most 200 heartbeats a second.
  private static func heartbeatInterval(_ workerCount: Int) -> Duration {
    .seconds(max(1, (workerCount + 199) / 200))
  }

  init(runID: String, pass: some ForwardPass, workerCount: Int, deadAfter: Duration) {
    self.init(
      runID: runID, compute: pass.compute, tokensPerSample: pass.tokensPerSample,
      samplesPerLeaf: pass.samplesPerLeaf, leavesPerUnit: pass.leavesPerUnit,
      heartbeatInterval: Welcome.heartbeatInterval(workerCount),
      lease: Welcome.lease(workerCount, deadAfter: deadAfter))
  }

  /// The terms of a run without a forward pass.
  init(runID: String, workerCount: Int, deadAfter: Duration) {
    self.init(
      runID: runID, compute: .float32, tokensPerSample: 1, samplesPerLeaf: 1, leavesPerUnit: 1,
      heartbeatInterval: Welcome.heartbeatInterval(workerCount),
      lease: Welcome.lease(workerCount, deadAfter: deadAfter))
  }
}
