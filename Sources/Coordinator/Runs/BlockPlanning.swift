internal import Statistics

/// How a run's leaves are handed out. Nothing here decides a bit of the result: the canonical
/// tree does, and blocks are nodes of it.
enum BlockPlanning {
  /// Blocks per worker at the least, so that the last ones to finish do not wait long.
  static let blocksPerWorker = 4
  /// Leaves of one block at the most unless asked otherwise: the residual stream of a block stays
  /// in memory while the weights pass by.
  static let largestDefaultBlock = 16

  /// The level of the tree whose nodes are the tasks: large blocks read the weights seldom, small
  /// ones spread evenly.
  ///
  /// - Parameters:
  ///   - lanesPerWorker: leaves of a block that a worker is told to compute side by side.
  ///   - leavesPerBlock: what was asked for, rounded down to a power of two; nil leaves it to the
  ///     number of workers.
  static func level(
    leafCount: Int, workerCount: Int, lanesPerWorker: Int = 1, leavesPerBlock: Int?
  ) -> Int {
    let root = CanonicalTree(leafCount: leafCount).rootLevel
    if let leavesPerBlock {
      return min(Int.bitWidth - 1 - leavesPerBlock.leadingZeroBitCount, root)
    }
    var level = 0
    while 2 << level <= largestDefaultBlock * lanesPerWorker,
      (leafCount + (2 << level) - 1) / (2 << level) >= blocksPerWorker * workerCount
    {
      level += 1
    }
    return min(level, root)
  }
}
