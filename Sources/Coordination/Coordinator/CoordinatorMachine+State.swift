/// What happened in a run so far.
public struct RunCounters: Hashable, Sendable {
  public var joins = 0
  /// Workers that died, hung or broke the protocol.
  public var losses = 0
  /// Tasks that went to another worker.
  public var retries = 0
  /// Tasks that were tried a second time beside the first.
  public var speculations = 0
  /// Results that came a second time.
  public var duplicates = 0
  /// Results that are safe.
  public var completed = 0
  public var receivedBytes = 0

  public init() {}
}

/// A worker as those who watch see it.
public struct WorkerView: Hashable, Sendable {
  public let id: WorkerID
  public let host: String
  public let threadCount: Int
  /// What it works at, or nil.
  public let task: String?
  /// Share of the task that is done, 0…1.
  public let fraction: Double
  public let completedTaskCount: Int
  public let residentBytes: Int
  public let silence: Duration
}

/// Views of the state, for progress displays and for tests.
extension CoordinatorMachine {
  /// Tasks done, those in work counted by the share of their steps.
  public var progress: (completedTasks: Double, taskCount: Int) {
    let working = workers.all.reduce(0.0) { sum, worker in
      guard let job = worker.job, tasks[job.attempt.task]!.state == .running else { return sum }
      return sum + job.fraction
    }
    let done = Double(tasks.count - unfinishedCount)
    return (min(done + working, Double(tasks.count)), tasks.count)
  }

  public var workerCount: Int { workers.count }

  /// The most anonymous memory that any present worker was seen to hold.
  public var peakResidentBytes: Int { workers.all.map(\.peakResidentBytes).max() ?? 0 }

  public func views(at now: Instant) -> [WorkerView] {
    workers.all.map { worker in
      WorkerView(
        id: worker.id, host: worker.hello.host, threadCount: worker.hello.threadCount,
        task: worker.job.map { tasks[$0.attempt.task]!.work.name },
        fraction: worker.job?.fraction ?? 0, completedTaskCount: worker.completedTaskCount,
        residentBytes: worker.residentBytes, silence: now - worker.lastHeard)
    }
  }

  /// Checks what must hold between any two events.
  /// - Returns: the broken invariants, described; none when all is well.
  public func violations() -> [String] {
    var broken: [String] = []
    let waiting = Set(pending)
    if waiting.count != pending.count { broken.append("a task waits twice") }
    for (id, task) in tasks {
      let name = "task \(id.rawValue)"
      switch task.state {
      case .pending:
        if !waiting.contains(id) { broken.append("\(name) waits in no queue") }
        if !task.holders.isEmpty { broken.append("\(name) waits and is held") }
      case .running:
        if task.holders.isEmpty { broken.append("\(name) runs nowhere") }
      case .storing: break
      case .done:
        if !task.holders.isEmpty { broken.append("\(name) is done and held") }
      }
      if task.state != .pending && waiting.contains(id) {
        broken.append("\(name) waits though it does not")
      }
      for holder in task.holders where workers[holder]?.job?.attempt.task != id {
        broken.append("\(name) is held by a worker that has it not")
      }
    }
    let unfinished = tasks.values.count { $0.state.doneDigest == nil }
    if unfinished != unfinishedCount { broken.append("\(unfinishedCount) ≠ \(unfinished) open") }
    let busy = workers.all.count { $0.job != nil }
    if busy != workers.count - workers.idleCount { broken.append("idle workers are miscounted") }
    for worker in workers.all {
      guard let job = worker.job else { continue }
      if !tasks[job.attempt.task]!.holders.contains(worker.id) {
        broken.append("a worker has a task that does not know it")
      }
    }
    return broken
  }
}

extension WorkerRecord.Job {
  fileprivate var fraction: Double {
    report != nil ? 1 : totalSteps > 0 ? Double(completedSteps) / Double(totalSteps) : 0
  }
}
