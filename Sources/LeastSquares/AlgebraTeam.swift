public import Kernels

/// A thread team with what f64 products need: scratch of every thread. Made once, used for all maps.
///
/// How work is cut may follow the number of threads, since no sum's order depends on it; sums over
/// what is cut are cut by sizes alone.
public final class AlgebraTeam {
  public let team: ThreadTeam
  private let scratch: [ScratchBuffer]
  private let onStep: () -> Void

  /// - Parameter onStep: called on the caller's thread after every part of a computation, of which a
  ///   large one has hundreds.
  /// - Throws: `OutOfMemory`.
  public init(_ team: ThreadTeam, onStep: @escaping () -> Void = {}) throws(OutOfMemory) {
    self.team = team
    self.onStep = onStep
    scratch = try (0..<team.threadCount).map { _ throws(OutOfMemory) in
      try ScratchBuffer(byteCount: DoubleProduct.scratchByteCount)
    }
  }

  public static func byteCount(threadCount: Int) -> Int {
    threadCount * DoubleProduct.scratchByteCount
  }

  func run(_ taskCount: Int, _ body: (_ task: Int, _ thread: Int) -> Void) {
    team.run(.other, taskCount: taskCount, body)
    onStep()
  }

  /// Runs `body` for ranges that cover 0..<count, none longer than `length`; a few for each thread make
  /// a step, because each may be a whole solve.
  func ranges(of count: Int, by length: Int, _ body: (_ range: Range<Int>, _ thread: Int) -> Void) {
    let taskCount = (count + length - 1) / length
    let tasksPerStep = 2 * team.threadCount
    for first in stride(from: 0, to: taskCount, by: tasksPerStep) {
      run(min(tasksPerStep, taskCount - first)) { index, thread in
        let task = first + index
        body(task * length..<min((task + 1) * length, count), thread)
      }
    }
  }

  /// A product by the thread of a task.
  func multiply(
    _ a: DoubleBlock, _ b: DoubleBlock, _ update: DoubleProduct.Update, to c: DoubleBlock,
    isLower: Bool = false, thread: Int
  ) {
    DoubleProduct.run(a, b, update, to: c, isLower: isLower, scratch: scratch[thread])
  }

  /// A product on all threads, tile by tile of c; of a lower one the tiles above the diagonal are
  /// left out.
  func multiply(
    _ a: DoubleBlock, _ b: DoubleBlock, _ update: DoubleProduct.Update, to c: DoubleBlock,
    isLower: Bool = false
  ) {
    let side = tileSide(rows: c.rows, columns: c.columns)
    let across = (c.columns + side - 1) / side
    let tiles = (0..<(c.rows + side - 1) / side).flatMap { row in
      (0..<(isLower ? min(row + 1, across) : across)).map { (row: row, column: $0) }
    }
    run(tiles.count) { task, thread in
      // The last rows of a triangle are the longest: they go first.
      let tile = tiles[tiles.count - 1 - task]
      let rows = tile.row * side..<min((tile.row + 1) * side, c.rows)
      let columns = tile.column * side..<min((tile.column + 1) * side, c.columns)
      multiply(
        a[rows, 0..<a.columns], b[0..<b.rows, columns], update, to: c[rows, columns],
        isLower: isLower && tile.row == tile.column, thread: thread)
    }
  }

  /// Large tiles pack less, small ones are enough for every thread.
  private func tileSide(rows: Int, columns: Int) -> Int {
    var side = DoubleProduct.tileSide
    let wanted = team.threadCount == 1 ? 1 : 4 * team.threadCount
    while side > 128, ((rows + side - 1) / side) * ((columns + side - 1) / side) < wanted {
      side /= 2
    }
    return side
  }

  /// Rows of a task where every task takes its rows through a whole solve.
  func rowsPerTask(_ rows: Int) -> Int {
    perTask(rows, least: 48, most: 256)
  }

  /// Columns of a task where every task does its columns of a few rows.
  func columnsPerTask(_ columns: Int) -> Int {
    perTask(columns, least: 128, most: DoubleProduct.tileSide)
  }

  private func perTask(_ count: Int, least: Int, most: Int) -> Int {
    min(max((count + 2 * team.threadCount - 1) / (2 * team.threadCount), least), most)
  }
}
