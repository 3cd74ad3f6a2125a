/// The tasks of a run, by their ids, and the queue of those that wait for a worker.
///
/// Queue and counts follow from the tasks' states at every change, whoever makes it.
struct TaskTable: Sendable {
  private var records: [TaskID: TaskRecord] = [:]
  /// Tasks that wait; the next one is at the front. One that comes back goes first.
  private var queue: [TaskID] = []
  private var doneCount = 0
  /// Of all tasks, and of those that are done.
  private(set) var cost = 0.0
  private(set) var doneCost = 0.0

  var count: Int { records.count }
  /// Tasks that are not done.
  var unfinishedCount: Int { records.count - doneCount }
  /// Tasks that a worker has or whose result is being stored.
  var inWorkCount: Int { unfinishedCount - queue.count }
  /// Tasks that no worker has.
  var waitingCount: Int { queue.count }

  var all: some Collection<TaskRecord> { records.values }

  /// Tasks that no worker has, in the order in which they are given out.
  var waiting: some Collection<TaskRecord> { queue.lazy.map { self[$0] } }

  /// The next waiting task that may be assigned.
  func next(where isFit: (TaskRecord) -> Bool) -> TaskID? { queue.first { isFit(self[$0]) } }

  /// A task that a peer speaks of: perhaps there is none.
  func find(_ id: TaskID) -> TaskRecord? { records[id] }

  /// A task that was submitted.
  subscript(id: TaskID) -> TaskRecord {
    get { records[id, default: TaskTable.absent(id)] }
    _modify {
      let before = Phase(records[id, default: TaskTable.absent(id)].state)
      yield &records[id, default: TaskTable.absent(id)]
      follow(id, from: before, to: Phase(records[id, default: TaskTable.absent(id)].state))
    }
  }

  mutating func submit(_ task: CoordinatorMachine.Task) {
    if let known = records[task.id] { known.trap(at: .submitted) }
    records[task.id] = TaskRecord(id: task.id, work: task.work, cost: task.cost)
    cost += task.cost
    queue.append(task.id)
  }

  // MARK: What follows from a change

  private enum Phase {
    case waits, inWork, done

    init(_ state: TaskRecord.State) {
      switch state {
      case .pending: self = .waits
      case .running, .storing: self = .inWork
      case .done: self = .done
      }
    }
  }

  private mutating func follow(_ id: TaskID, from before: Phase, to after: Phase) {
    guard before != after else { return }
    if before == .waits {
      // Nearly always it is the first.
      guard let index = queue.firstIndex(of: id) else { self[id].trap("waits in no queue") }
      queue.remove(at: index)
    }
    if after == .waits { queue.insert(id, at: 0) }
    if after == .done {
      doneCount += 1
      doneCost += self[id].cost
    }
  }

  private static func absent(_ id: TaskID) -> TaskRecord {
    fatalError("task \(id) was never submitted")
  }
}
