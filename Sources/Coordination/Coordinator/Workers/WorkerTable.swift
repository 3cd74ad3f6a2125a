/// The workers in the order in which they joined, so that the same events give the same effects.
struct WorkerTable: Sendable {
  private(set) var all: [WorkerRecord] = []
  private var positions: [WorkerID: Int] = [:]
  private var departed: Set<WorkerID> = []
  private var busyCount = 0

  var isEmpty: Bool { all.isEmpty }
  var count: Int { all.count }
  var idleCount: Int { all.count - busyCount }

  /// A worker that a message names: perhaps it is not here.
  func find(_ id: WorkerID) -> WorkerRecord? { positions[id].map { all[$0] } }

  /// A worker that is here.
  subscript(id: WorkerID) -> WorkerRecord {
    get { all[position(id)] }
    _modify {
      let position = position(id)
      if all[position].job != nil { busyCount -= 1 }
      yield &all[position]
      if all[position].job != nil { busyCount += 1 }
    }
  }

  /// Whether a worker of this name was here and is gone: it cannot come back under it.
  func hasDeparted(_ id: WorkerID) -> Bool { departed.contains(id) }

  mutating func insert(_ worker: WorkerRecord) {
    positions[worker.id] = all.count
    all.append(worker)
  }

  /// - Returns: nil when it is not here.
  mutating func remove(_ id: WorkerID) -> WorkerRecord? {
    guard let position = positions.removeValue(forKey: id) else { return nil }
    let record = all.remove(at: position)
    for index in position..<all.count { positions[all[index].id] = index }
    departed.insert(id)
    if record.job != nil { busyCount -= 1 }
    return record
  }

  private func position(_ id: WorkerID) -> Int {
    guard let position = positions[id] else { fatalError("worker \(id) is not here") }
    return position
  }
}
