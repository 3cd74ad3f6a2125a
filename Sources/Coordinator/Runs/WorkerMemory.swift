internal import Checkpoint
internal import FlapCore
internal import Transformer

/// Peak anonymous memory of one worker, computed before the run from the sizes that its scratch
/// is allocated from. Mapped weights are not counted: they are the page cache's.
struct WorkerMemory: Comparable {
  let threadCount: Int
  /// Activations, operands and tiles of the forward pass.
  let scratchBytes: Int
  /// Moments on their way up the tree, and the report that is made of them.
  let statisticsBytes: Int
  /// Program, libraries, their generated code and stacks.
  let runtimeBytes: Int

  /// Measured on Linux x86-64: the Swift runtime, Foundation and ZeroMQ; stacks and what the
  /// allocator keeps for a thread.
  private static let processBytes = 8 << 20
  private static let perThreadBytes = 2 << 20

  static func < (a: WorkerMemory, b: WorkerMemory) -> Bool { a.totalBytes < b.totalBytes }

  var totalBytes: Int { scratchBytes + statisticsBytes + runtimeBytes }

  init(_ pass: SampledPass, threadCount: Int, laneCount: Int? = nil) {
    self.threadCount = threadCount
    let limits = BlockLimits(
      tokensPerSample: pass.tokens.tokensPerSample, samplesPerLeaf: pass.samplesPerLeaf,
      leavesPerBlock: pass.leavesPerBlock)
    let split = LaneSplit(
      threadCount: threadCount, laneCount: laneCount, shape: pass.shape, limits: limits)
    scratchBytes =
      ScratchPlan(shape: pass.shape, compute: pass.compute, split: split, limits: limits).totalBytes
    // Mean and M2 in f64: one value per level of the tree below the block, one being merged, then
    // the report in memory and on its way.
    statisticsBytes = pass.shape.channelCount * 16 * (pass.blockLevel + 4)
    runtimeBytes = WorkerMemory.processBytes + threadCount * WorkerMemory.perThreadBytes
  }
}

extension ModelShape {
  /// Channels at both taps of all layers.
  var channelCount: Int {
    layers.indices.reduce(0) { sum, layer in
      sum + Tap.allCases.reduce(0) { $0 + channelCount(layer: layer, tap: $1) }
    }
  }
}
