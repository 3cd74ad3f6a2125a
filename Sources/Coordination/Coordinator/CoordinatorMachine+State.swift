/// Views of the state, for progress displays and for tests.
extension CoordinatorMachine {
  /// Tasks done, those in work counted by the share of their steps.
  public var progress: (completedTasks: Double, taskCount: Int) {
    let working = workers.all.reduce(0.0) { sum, worker in
      guard case .working(let job) = worker.state, job.totalSteps > 0 else { return sum }
      return sum + Double(job.completedSteps) / Double(job.totalSteps)
    }
    let done = Double(tasks.count - unfinishedCount)
    return (min(done + working, Double(tasks.count)), tasks.count)
  }

  public var workerCount: Int { workers.all.count }

  /// The most anonymous memory that any present worker was seen to hold.
  public var peakResidentBytes: Int { workers.all.map(\.peakResidentBytes).max() ?? 0 }

  /// Checks what must hold between any two events.
  /// - Returns: the broken invariants, described; none when all is well.
  public func violations() -> [String] {
    var broken: [String] = []
    let waiting = Set(pending)
    if waiting.count != pending.count { broken.append("a task waits twice") }
    var unfinished = 0
    for (id, task) in tasks {
      let holders = workers.all.count { $0.currentAttempt?.task == id }
      switch task.state {
      case .pending:
        if !waiting.contains(id) { broken.append("task \(id.rawValue) waits in no queue") }
      case .running:
        if holders == 0 { broken.append("task \(id.rawValue) runs nowhere") }
      case .storing, .done: break
      }
      if task.state != .pending && waiting.contains(id) {
        broken.append("task \(id.rawValue) waits though it does not")
      }
      if case .done = task.state {} else { unfinished += 1 }
    }
    if unfinished != unfinishedCount { broken.append("\(unfinishedCount) ≠ \(unfinished) open") }
    return broken
  }
}
