/// A worker that has an attempt at a task.
package struct TaskHolder: Hashable, Sendable {
  package let attempt: TaskAttempt
  package let worker: WorkerID
}

/// Who has a task that is in work: one worker or, at the end of a phase, two. Never none.
package struct TaskHolders: Hashable, Sendable {
  /// Whose attempt is the older one.
  package let first: TaskHolder
  package let second: TaskHolder?

  init(_ first: TaskHolder, beside second: TaskHolder? = nil) {
    self.first = first
    self.second = second
  }

  /// In the order of their attempts.
  package var all: [TaskHolder] { second.map { [first, $0] } ?? [first] }

  func holder(of attempt: TaskAttempt) -> TaskHolder? { all.first { $0.attempt == attempt } }

  func holder(_ worker: WorkerID) -> TaskHolder? { all.first { $0.worker == worker } }

  /// - Returns: nil when there are two already.
  func adding(_ holder: TaskHolder) -> TaskHolders? {
    second == nil ? TaskHolders(first, beside: holder) : nil
  }

  /// - Returns: nil when nobody else is left.
  func removing(_ holder: TaskHolder) -> TaskHolders? {
    if holder == second { return TaskHolders(first) }
    guard holder == first else { return self }
    return second.map { TaskHolders($0) }
  }
}
