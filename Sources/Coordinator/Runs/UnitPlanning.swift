internal import FlapCore
internal import Statistics

/// How a run's leaves are handed out. Nothing here decides a bit of the result: the canonical
/// tree does, and work units are nodes of it.
enum UnitPlanning {
  /// Units per worker at the least, so that the last ones to finish do not wait long.
  static let unitsPerWorker = 4
  /// Leaves of one unit at the most unless asked otherwise: the residual stream of a unit stays
  /// in memory while the weights pass by.
  static let largestDefaultUnit = 16
  private static let largestLevel =
    Int.bitWidth - 1 - Limits.leavesPerUnit.leadingZeroBitCount

  /// The level of the tree whose nodes are the tasks: large units read the weights seldom, small
  /// ones spread evenly.
  ///
  /// - Parameters:
  ///   - lanesPerWorker: leaves of a unit that a worker is told to compute side by side.
  ///   - leavesPerUnit: what was asked for, rounded down to a power of two; nil leaves it to the
  ///     number of workers.
  static func level(
    leafCount: Int, workerCount: Int, lanesPerWorker: Int = 1, leavesPerUnit: Int?
  ) -> Int {
    let root = CanonicalTree(leafCount: leafCount).rootLevel
    if let leavesPerUnit {
      return min(Int.bitWidth - 1 - leavesPerUnit.leadingZeroBitCount, root, largestLevel)
    }
    var level = 0
    while 2 << level <= largestDefaultUnit * lanesPerWorker,
      (leafCount + (2 << level) - 1) / (2 << level) >= unitsPerWorker * workerCount
    {
      level += 1
    }
    return min(level, root, largestLevel)
  }

  /// The same for sums of maps: two units per worker, so that a faster one can take more; one where
  /// there is one.
  static func sumLevel(leafCount: Int, workerCount: Int) -> Int {
    let root = CanonicalTree(leafCount: leafCount).rootLevel
    let least = workerCount == 1 ? 1 : 2 * workerCount
    var level = 0
    while level < min(root, largestLevel), (leafCount + (2 << level) - 1) / (2 << level) >= least {
      level += 1
    }
    return level
  }
}
