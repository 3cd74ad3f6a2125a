internal import Checkpoint
internal import FlapCore
internal import LeastSquares
internal import Measurement
internal import Statistics
internal import Transformer

/// Peak anonymous memory of one worker, computed before the run from the sizes that its scratch
/// is allocated from. Mapped weights are not counted: they are the page cache's.
struct WorkerMemory: Comparable {
  let threadCount: Int
  /// Activations, operands and tiles of the forward pass.
  let scratchBytes: Int
  /// Statistics that are gathered, and on their way up the tree.
  let statisticsBytes: Int
  /// Program, libraries, their generated code and stacks.
  let runtimeBytes: Int

  /// Measured on Linux x86-64: the Swift runtime, Foundation and ZeroMQ; stacks and what the
  /// allocator keeps for a thread.
  private static let processBytes = 8 << 20
  private static let perThreadBytes = 2 << 20

  static func < (a: WorkerMemory, b: WorkerMemory) -> Bool { a.totalBytes < b.totalBytes }

  var totalBytes: Int { scratchBytes + statisticsBytes + runtimeBytes }

  init(_ pass: any ForwardPass, threadCount: Int, laneCount: Int? = nil) {
    self.threadCount = threadCount
    let limits = MicroBatchLimits(
      tokensPerSample: pass.tokensPerSample, samplesPerLeaf: pass.samplesPerLeaf,
      leavesPerMicroBatch: pass.leavesPerUnit)
    let split = LaneSplit(
      threadCount: threadCount, laneCount: laneCount, shape: pass.shape, limits: limits)
    let scratch = ScratchPlan(
      shape: pass.shape, compute: pass.compute, split: split, limits: limits)
    scratchBytes = scratch.totalBytes
    let taps = SampleMeasurement.byteCount(
      pass.tapKinds, leafCount: pass.leavesPerUnit,
      shape: pass.shape, scratch.observerLimits)
    // Whatever comes after the second moments has their room.
    statisticsBytes =
      taps
      + (pass.sumsProducts
        ? max(
          ProductMeasurement.byteCount(pass.compute, shape: pass.shape, limits, split),
          WorkerMemory.mapBytes(pass.shape, limits, threadCount: threadCount),
          WorkerMemory.targetBytes(pass, limits, split)) : 0)
    runtimeBytes = WorkerMemory.processBytes + threadCount * WorkerMemory.perThreadBytes
  }

  /// Of the largest map: its order of removal, and what its losses are measured with.
  private static func mapBytes(
    _ shape: ModelShape, _ limits: MicroBatchLimits, threadCount: Int
  ) -> Int {
    let leaves = max(1, MapsPass.tokenLimit / limits.tokensPerLeaf)
    let orders = TapPlace.all(in: shape.layers.indices).map { place in
      return RemovalOrder.byteCount(
        outputs: shape.hiddenSize,
        channels: shape.mapChannels(layer: place.layer, tap: place.tap).width,
        unitWidth: shape.unitWidth(layer: place.layer, tap: place.tap),
        batch: RemovalOrder.largestBatch)
    }
    return (orders.max() ?? 0) + AlgebraTeam.byteCount(threadCount: threadCount)
      + DivergenceMeasurement.byteCount(leafCount: leaves, shape: shape, limits)
  }

  /// Of the largest map on the pruned model: its sums, or the fit before.
  private static func targetBytes(
    _ pass: any ForwardPass, _ limits: MicroBatchLimits, _ split: LaneSplit
  ) -> Int {
    let shape = pass.shape
    // Mixtures have no such pass.
    guard !shape.hasExperts else { return 0 }
    let channels = TapPlace.all(in: shape.layers.indices).reduce(0) {
      max($0, shape.mapChannels(layer: $1.layer, tap: $1.tap).width)
    }
    let sums = TargetMeasurement.byteCount(pass.compute, shape: shape, limits, split)
    let fit =
      LeastSquaresFit.byteCount(outputs: shape.hiddenSize, channels: channels, kept: channels)
      + Matrix.byteCount(rows: shape.hiddenSize, columns: channels)
      + AlgebraTeam.byteCount(threadCount: split.threadCount)
    return max(sums, fit)
  }
}

extension StatisticReport {
  /// Bytes of the largest report of a run: of these kinds, of some samples.
  static func largestByteCount(_ kinds: [StatisticKind], _ shape: ModelShape) -> Int {
    // The longest key that a node can have.
    let node = TreeNode(level: Int.bitWidth - 1, index: .max)
    let catalog = StatisticCatalog.standard
    let keys = try? catalog.keys(
      of: kinds + catalog.kinds(from: .predictions), node: node, in: shape)
    // What is told of sums fits one header.
    return max(
      keys.flatMap { try? byteCount(of: $0, catalog, in: shape) } ?? 0, Limits.headerFrameBytes)
  }
}
