/// Byte-pair encoding of one piece (Sennrich, Haddow, Birch 2016): of all adjacent pairs that merge,
/// the one of the lowest rank goes first, of equal ones the leftmost.
///
/// A linked list of symbols and a heap of candidates: n symbols take O(n log n).
struct BytePairMerger {
  /// In: the initial symbols; out: what they merged into.
  var symbols: [Int32] = []
  private var next: [Int32] = []
  private var previous: [Int32] = []
  /// A binary heap of rank << 32 | position, the least on top.
  private var candidates: [UInt64] = []

  private static let removed: Int32 = -2
  private static let none: Int32 = -1

  mutating func merge(with table: MergeTable) {
    let count = symbols.count
    guard count > 1 else { return }
    precondition(count < Int(Int32.max))
    link(count)
    candidates.removeAll(keepingCapacity: true)
    for position in 0..<count - 1 { addCandidate(position, position + 1, table) }
    makeHeap()
    while let top = popCandidate() {
      let position = Int(top & 0xFFFF_FFFF)
      let following = next[position]
      // Entries are not taken out when the symbols that they speak of merge otherwise.
      guard following >= 0, let merge = table.merge(symbols[position], symbols[Int(following)]),
        merge.rank == UInt32(top >> 32)
      else { continue }
      join(position, Int(following), into: merge.result)
      let after = next[position]
      if after >= 0 { pushCandidate(position, Int(after), table) }
      let before = previous[position]
      if before >= 0 { pushCandidate(Int(before), position, table) }
    }
    compact(count)
  }

  private mutating func link(_ count: Int) {
    next.removeAll(keepingCapacity: true)
    previous.removeAll(keepingCapacity: true)
    for position in 0..<Int32(count) {
      next.append(position + 1)
      previous.append(position - 1)
    }
    next[count - 1] = BytePairMerger.none
  }

  private mutating func join(_ position: Int, _ following: Int, into result: Int32) {
    symbols[position] = result
    let after = next[following]
    next[position] = after
    if after >= 0 { previous[Int(after)] = Int32(position) }
    next[following] = BytePairMerger.removed
  }

  private mutating func compact(_ count: Int) {
    var kept = 0
    var position: Int32 = 0
    while position >= 0 {
      symbols[kept] = symbols[Int(position)]
      kept += 1
      position = next[Int(position)]
    }
    symbols.removeLast(count - kept)
  }

  private mutating func addCandidate(_ left: Int, _ right: Int, _ table: MergeTable) {
    guard let merge = table.merge(symbols[left], symbols[right]) else { return }
    candidates.append(UInt64(merge.rank) << 32 | UInt64(left))
  }

  private mutating func pushCandidate(_ left: Int, _ right: Int, _ table: MergeTable) {
    let count = candidates.count
    addCandidate(left, right, table)
    if candidates.count > count { siftUp(count) }
  }

  private mutating func makeHeap() {
    for index in stride(from: candidates.count / 2 - 1, through: 0, by: -1) { siftDown(index) }
  }

  private mutating func popCandidate() -> UInt64? {
    guard let last = candidates.popLast() else { return nil }
    guard let top = candidates.first else { return last }
    candidates[0] = last
    siftDown(0)
    return top
  }

  private mutating func siftUp(_ start: Int) {
    var index = start
    let moving = candidates[index]
    while index > 0 {
      let parent = (index - 1) / 2
      guard moving < candidates[parent] else { break }
      candidates[index] = candidates[parent]
      index = parent
    }
    candidates[index] = moving
  }

  private mutating func siftDown(_ start: Int) {
    var index = start
    let moving = candidates[index]
    let count = candidates.count
    while true {
      var child = 2 * index + 1
      guard child < count else { break }
      if child + 1 < count, candidates[child + 1] < candidates[child] { child += 1 }
      guard candidates[child] < moving else { break }
      candidates[index] = candidates[child]
      index = child
    }
    candidates[index] = moving
  }
}
