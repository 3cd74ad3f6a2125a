import Coordination

/// Things that will happen, the next one first; what is due at the same time comes in the order
/// in which it was added. A binary heap.
struct EventQueue<Event> {
  private var heap: [(time: Instant, number: Int, event: Event)] = []
  private var added = 0

  var isEmpty: Bool { heap.isEmpty }

  mutating func add(_ event: Event, at time: Instant) {
    heap.append((time, added, event))
    added += 1
    var child = heap.count - 1
    while child > 0, precedes(child, (child - 1) / 2) {
      heap.swapAt(child, (child - 1) / 2)
      child = (child - 1) / 2
    }
  }

  mutating func next() -> (time: Instant, event: Event)? {
    guard let first = heap.first else { return nil }
    let last = heap.removeLast()
    if !heap.isEmpty {
      heap[0] = last
      var parent = 0
      while 2 * parent + 1 < heap.count {
        var child = 2 * parent + 1
        if child + 1 < heap.count, precedes(child + 1, child) { child += 1 }
        guard precedes(child, parent) else { break }
        heap.swapAt(child, parent)
        parent = child
      }
    }
    return (first.time, first.event)
  }

  private func precedes(_ left: Int, _ right: Int) -> Bool {
    (heap[left].time, heap[left].number) < (heap[right].time, heap[right].number)
  }
}
