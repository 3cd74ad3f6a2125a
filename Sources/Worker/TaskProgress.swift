internal import Coordination
internal import Synchronization

/// How far the task at hand is: written by the thread that computes, read by the one that talks.
final class TaskProgress: Sendable {
  /// Nobody wants the result any more; thrown out of the forward pass.
  struct Abandoned: Error {}

  private let current = Atomic<UInt64>(0)
  private let abandoned = Atomic<UInt64>(0)
  private let completed = Atomic<Int>(0)
  private let total = Atomic<Int>(0)
  /// Of those to come, such that ``extraStep()`` counts.
  private let foreseen = Atomic<Int>(0)

  func begin(_ attempt: TaskAttempt) {
    completed.store(0, ordering: .relaxed)
    total.store(0, ordering: .relaxed)
    foreseen.store(0, ordering: .relaxed)
    current.store(TaskProgress.key(attempt), ordering: .relaxed)
  }

  func end() { current.store(0, ordering: .relaxed) }

  var isBusy: Bool { current.load(ordering: .relaxed) != 0 }

  /// Besides those that were not foreseen.
  func expect(steps: Int) { total.add(steps, ordering: .relaxed) }

  /// As many as the like of it has taken.
  func expectExtra(steps: Int) {
    expect(steps: steps)
    foreseen.add(steps, ordering: .relaxed)
  }

  var isAbandoned: Bool {
    abandoned.load(ordering: .relaxed) == current.load(ordering: .relaxed)
  }

  /// Counts one step.
  /// - Throws: ``Abandoned`` when the attempt was abandoned.
  func step() throws {
    completed.add(1, ordering: .relaxed)
    if isAbandoned { throw Abandoned() }
  }

  /// Counts a step of work whose steps nobody knows beforehand: it is alive.
  func extraStep() {
    if foreseen.load(ordering: .relaxed) > 0 {
      foreseen.subtract(1, ordering: .relaxed)
    } else {
      total.add(1, ordering: .relaxed)
    }
    completed.add(1, ordering: .relaxed)
  }

  func abandon(_ attempt: TaskAttempt) {
    abandoned.store(TaskProgress.key(attempt), ordering: .relaxed)
  }

  var steps: (completed: Int, total: Int) {
    (completed.load(ordering: .relaxed), total.load(ordering: .relaxed))
  }

  /// Never 0: attempts count from 1.
  private static func key(_ attempt: TaskAttempt) -> UInt64 {
    attempt.task.rawValue << 16 | UInt64(attempt.attempt)
  }
}
