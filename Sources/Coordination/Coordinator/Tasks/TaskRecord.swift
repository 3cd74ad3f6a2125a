package import FlapCore

/// What the coordinator knows of a task: its state, how often it was tried, and its story.
///
/// The state changes by named transitions only (`TaskRecord+Transitions`). One that the state does
/// not allow is a mistake of this program, never of a worker: it ends the program with the story.
package struct TaskRecord: Sendable {
  package enum State: Hashable, Sendable {
    /// Waits for a worker.
    case pending
    case running(TaskHolders)
    /// One attempt's complete result was handed out for storing. Whoever delivered it may be gone,
    /// and somebody else may be at it still.
    case storing(TaskOffer, TaskHolders?)
    case done(Digest)
  }

  package let id: TaskID
  package let work: Work
  /// See ``CoordinatorMachine/Task/cost``.
  package let cost: Double
  package internal(set) var state = State.pending
  var attemptCount = 0
  package internal(set) var failureCount = 0
  /// Where a worker said that it could not do it.
  var failedHosts: Set<String> = []
  /// Workers that died or hung while they had the task.
  package internal(set) var lostWorkerCount = 0
  var story = TaskStory()

  package init(id: TaskID, work: Work, cost: Double = 1) {
    self.id = id
    self.work = work
    self.cost = cost
    story.note(.submitted)
  }

  /// The workers that have an attempt at it, in the order of their attempts.
  package var holders: [TaskHolder] {
    switch state {
    case .pending, .done: []
    case .running(let holders): holders.all
    case .storing(_, let holders): holders?.all ?? []
    }
  }

  // MARK: Text

  /// "task 12 (calibration of work unit 1/2): submitted; 12.1 assigned to w1".
  package var told: String { "task \(id) (\(work.name)): \(story.text(of: id))" }

  /// The story, and at its end what cannot come next.
  package func complaint(about step: TaskStory.Step) -> String {
    "\(told); \(step.impossibility(of: id))"
  }

  /// Ends the program. `fatalError`, because a precondition says nothing in a release build.
  func trap(at step: TaskStory.Step) -> Never { fatalError(complaint(about: step)) }

  /// The same for what is amiss between the task and what others know of it.
  func trap(_ what: String) -> Never { fatalError("\(told); \(what)") }
}

/// The result that is being stored.
package struct TaskOffer: Hashable, Sendable {
  package let attempt: TaskAttempt
  package let digest: Digest
}
