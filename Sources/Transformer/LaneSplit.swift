public import FlapCore
internal import Kernels

/// How the threads of a forward pass are shared out: every lane takes one leaf through a layer, all
/// lanes at the same time.
///
/// Threads of one lane wait for each other after every step of a layer, those of different lanes
/// only at a leaf's end. Which lane computes a leaf does not change a bit.
public struct LaneSplit: Hashable, Sendable {
  public let threadCount: Int
  public let laneCount: Int

  /// - Parameter laneCount: at most one per thread and per leaf of a micro-batch; nil: as few lanes,
  ///   because each has scratch of its own, as leave every thread enough tasks of the smallest
  ///   product that it does not wait for the others' last one for long.
  public init(threadCount: Int, laneCount: Int?, shape: ModelShape, limits: MicroBatchLimits) {
    let rows = Double(RowLayout(limits).rowCount) / Double(MatrixProduct.taskRows)
    let strips = Double(shape.hiddenSize) / Double(MatrixProduct.tileOutputs)
    let threadsPerLane = max(1, Int(rows * strips / LaneSplit.tasksPerThread))
    let wanted = min(
      laneCount ?? threadCount / threadsPerLane, threadCount, limits.leavesPerMicroBatch)
    self.threadCount = threadCount
    self.laneCount = max(1, wanted)
  }

  private static let tasksPerThread = 16.0

  /// For each lane the most threads that work in it: in the first one all, when a leaf is left over.
  public var scratchThreadCounts: [Int] {
    (0..<laneCount).map { $0 == 0 ? threadCount : threads(ofLane: $0).count }
  }

  /// The threads of one lane; they differ by one at the most.
  func threads(ofLane lane: Int) -> Range<Int> {
    threadCount * lane / laneCount..<threadCount * (lane + 1) / laneCount
  }
}
