/// Which of equal scores are among the largest, as `torch.topk` has it on a CPU.
///
/// PyTorch leaves ties to the C++ library (`aten/src/ATen/native/TopKImpl.h`): pairs of score and index go
/// through `std::partial_sort` where 64·k ≤ n, else through `std::nth_element` for the kth and
/// `std::sort` for those before it. Ties fall where libstdc++'s algorithms leave them, the same in every
/// run; these are those algorithms.
package struct TiedTop {
  private var queue: [(score: Float, index: Int)]

  /// Indices of the k largest scores, in PyTorch's order.
  package static func indices(_ k: Int, of scores: some Sequence<Float>) -> [Int] {
    var top = TiedTop(queue: scores.enumerated().map { (score: $1, index: $0) })
    let count = top.queue.count
    if 64 * k <= count {
      top.selectByHeap(0, k, count)
      top.sortHeap(0, k)
    } else {
      top.selectNth(k - 1)
      top.sort(k - 1)
    }
    return top.queue.prefix(k).map(\.index)
  }

  private func isBefore(_ one: Int, _ other: Int) -> Bool {
    queue[one].score > queue[other].score
  }

  /// 2 ⌊log₂ count⌋: after so many partitions heaps take over.
  private static func depthLimit(_ count: Int) -> Int {
    count == 0 ? 0 : 2 * (Int.bitWidth - 1 - count.leadingZeroBitCount)
  }

  /// `std::nth_element`
  private mutating func selectNth(_ nth: Int) {
    var (first, last) = (0, queue.count)
    var depth = TiedTop.depthLimit(last)
    while last - first > 3 {
      guard depth > 0 else {
        selectByHeap(first, nth + 1, last)
        queue.swapAt(first, nth)
        return
      }
      depth -= 1
      let cut = partition(first, last)
      if cut <= nth { first = cut } else { last = cut }
    }
    sortByInsertion(first, last)
  }

  /// `std::sort` of the first ones.
  private mutating func sort(_ count: Int) {
    if count > 16 { sortParts(0, count, TiedTop.depthLimit(count)) }
    sortByInsertion(0, count)
  }

  private mutating func sortParts(_ first: Int, _ end: Int, _ limit: Int) {
    var (last, depth) = (end, limit)
    while last - first > 16 {
      guard depth > 0 else {
        selectByHeap(first, last, last)
        return sortHeap(first, last)
      }
      depth -= 1
      let cut = partition(first, last)
      sortParts(cut, last, depth)
      last = cut
    }
  }

  /// Around the median of the second, the middle and the last, which comes first.
  private mutating func partition(_ first: Int, _ last: Int) -> Int {
    let (a, b, c) = (first + 1, first + (last - first) / 2, last - 1)
    let median =
      isBefore(a, b)
      ? (isBefore(b, c) ? b : isBefore(a, c) ? c : a)
      : (isBefore(a, c) ? a : isBefore(b, c) ? c : b)
    queue.swapAt(first, median)
    var (low, high) = (first + 1, last)
    while true {
      while isBefore(low, first) { low += 1 }
      high -= 1
      while isBefore(first, high) { high -= 1 }
      guard low < high else { return low }
      queue.swapAt(low, high)
      low += 1
    }
  }

  private mutating func sortByInsertion(_ first: Int, _ last: Int) {
    guard first + 1 < last else { return }
    for index in first + 1..<last {
      let value = queue[index]
      var hole = index
      while hole > first, value.score > queue[hole - 1].score {
        queue[hole] = queue[hole - 1]
        hole -= 1
      }
      queue[hole] = value
    }
  }

  /// Brings the foremost of first..<last into first..<middle, a heap whose root is the hindmost of them.
  private mutating func selectByHeap(_ first: Int, _ middle: Int, _ last: Int) {
    for parent in (0..<(middle - first) / 2).reversed() {
      sift(first, parent, middle - first, queue[first + parent])
    }
    for index in middle..<last where isBefore(index, first) {
      let value = queue[index]
      queue[index] = queue[first]
      sift(first, 0, middle - first, value)
    }
  }

  private mutating func sortHeap(_ first: Int, _ end: Int) {
    for last in (first..<end).reversed() where last > first {
      let value = queue[last]
      queue[last] = queue[first]
      sift(first, 0, last - first, value)
    }
  }

  /// The hole goes down to a leaf along the larger children, then the value goes up from there
  /// (`std::__adjust_heap`).
  private mutating func sift(
    _ first: Int, _ start: Int, _ count: Int, _ value: (score: Float, index: Int)
  ) {
    var (hole, child) = (start, start)
    while child < (count - 1) / 2 {
      child = 2 * (child + 1)
      if isBefore(first + child, first + child - 1) { child -= 1 }
      queue[first + hole] = queue[first + child]
      hole = child
    }
    if count % 2 == 0, child == (count - 2) / 2 {
      child = 2 * child + 1
      queue[first + hole] = queue[first + child]
      hole = child
    }
    while hole > start, queue[first + (hole - 1) / 2].score > value.score {
      queue[first + hole] = queue[first + (hole - 1) / 2]
      hole = (hole - 1) / 2
    }
    queue[first + hole] = value
  }
}
