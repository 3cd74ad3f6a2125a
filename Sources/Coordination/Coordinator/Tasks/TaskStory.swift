/// What happened to a task so far, for the message of a program that ends because the impossible
/// happened. It keeps values only; the text is made when somebody asks for it.
package struct TaskStory: Hashable, Sendable {
  /// A transition of a task; attempts by their number.
  package enum Step: Hashable, Sendable {
    case submitted
    case assigned(Int, WorkerID)
    /// A complete result of the attempt was handed out for storing.
    case offered(Int, WorkerID)
    /// That result is safe.
    case acknowledged(Int)
    /// That result is not what its digest says.
    case refused(Int)
    /// The worker said that it cannot do it.
    case failed(Int, WorkerID)
    /// The worker died, hung or broke the protocol.
    case lost(Int, WorkerID)
    /// The worker left, or knows nothing of the attempt.
    case released(Int, WorkerID)
    /// No worker has the task any more: it waits for one again.
    case requeued
  }

  /// A task that is tried more often than this many steps can tell has lost its beginning.
  static let capacity = 32

  private var steps: [Step] = []
  /// Steps that were there and are dropped.
  private var droppedCount = 0

  mutating func note(_ step: Step) {
    if steps.count == TaskStory.capacity {
      steps.removeFirst()
      droppedCount += 1
    }
    steps.append(step)
  }

  /// - Parameter task: whose story it is.
  func text(of task: TaskID) -> String {
    let told = steps.map { $0.text(of: task) }.joined(separator: "; ")
    return droppedCount == 0 ? told : "… (\(droppedCount) earlier); \(told)"
  }
}

extension TaskStory.Step {
  /// "12.2 assigned to w1".
  func text(of task: TaskID) -> String { subject(of: task).map { "\($0) \(verb)" } ?? verb }

  /// "12.2 cannot be assigned to w1".
  func impossibility(of task: TaskID) -> String {
    subject(of: task).map { "\($0) cannot be \(verb)" } ?? "cannot be \(verb)"
  }

  private func subject(of task: TaskID) -> TaskAttempt? {
    switch self {
    case .submitted, .requeued: nil
    case .assigned(let attempt, _), .offered(let attempt, _), .acknowledged(let attempt),
      .refused(let attempt), .failed(let attempt, _), .lost(let attempt, _),
      .released(let attempt, _):
      TaskAttempt(task: task, attempt: attempt)
    }
  }

  private var verb: String {
    switch self {
    case .submitted: "submitted"
    case .assigned(_, let worker): "assigned to \(worker)"
    case .offered(_, let worker): "offered by \(worker)"
    case .acknowledged: "acknowledged"
    case .refused: "refused"
    case .failed(_, let worker): "failed by \(worker)"
    case .lost(_, let worker): "lost with \(worker)"
    case .released(_, let worker): "released by \(worker)"
    case .requeued: "requeued"
    }
  }
}
