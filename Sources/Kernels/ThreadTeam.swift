internal import Synchronization

/// Threads that share out numbered tasks; the caller is one of them.
///
/// Which thread takes a task is left to chance, so tasks must not depend on it: each writes its own
/// part of the result. Threads that wait sleep; none spins.
public final class ThreadTeam: Sendable {
  /// Threads, the caller included.
  public let threadCount: Int
  private let board = Board()
  private let clock: PhaseClock

  /// - Precondition: `threadCount` ≥ 1.
  public init(threadCount: Int) {
    precondition(threadCount >= 1, "A team has at least its caller.")
    self.threadCount = threadCount
    clock = PhaseClock(threadCount: threadCount)
    for index in 1..<threadCount {
      // The threads hold the board, not the team, so that the team can end them.
      SystemThread.start(name: "team-\(index)") { [board] in board.serve(thread: index) }
    }
  }

  deinit { board.end() }

  /// Runs `body` for every task 0..<taskCount, on all threads at once, and waits for the last.
  ///
  /// - Parameters:
  ///   - phase: what its time counts as, until it calls ``enter(_:thread:)``.
  ///   - body: called with the task and the thread (0..<threadCount, for scratch that belongs to
  ///     a thread), from several threads at once.
  public func run(
    _ phase: Phase, taskCount: Int, _ body: (_ task: Int, _ thread: Int) -> Void
  ) {
    withoutActuallyEscaping(body) { body in
      let job = Job(phase, taskCount: taskCount, clock, body: body)
      guard threadCount > 1, taskCount > 1 else { return job.work(thread: 0) }
      board.post(job, helperCount: threadCount - 1)
      job.work(thread: 0)
      board.waitForHelpers()
    }
  }

  /// The results of `body` for every task 0..<taskCount, in their order.
  ///
  /// - Parameter body: called from several threads at once.
  public func map<Result>(
    _ phase: Phase, taskCount: Int, _ body: (_ task: Int) -> Result
  ) -> [Result] {
    Array(unsafeUninitializedCapacity: taskCount) { results, count in
      let slots = results.baseAddress
      run(phase, taskCount: taskCount) { task, _ in
        (slots! + task).initialize(to: body(task))
      }
      count = taskCount
    }
  }

  /// From now on the calling thread's time counts as this phase, until its body returns.
  public func enter(_ phase: Phase, thread: Int) { clock.enter(phase, thread: thread) }

  /// What the time was spent on so far, summed over threads; between calls of `run`.
  public var phaseSeconds: PhaseSeconds { clock.seconds }
}

/// One call of ``ThreadTeam/run(_:taskCount:_:)``; its body lives until the call returns.
private final class Job: @unchecked Sendable {
  // Unchecked: the body is called from several threads at once, as `run` documents.
  private let phase: Phase
  private let taskCount: Int
  private let clock: PhaseClock
  private let next = Atomic<Int>(0)
  private let body: (_ task: Int, _ thread: Int) -> Void

  init(
    _ phase: Phase, taskCount: Int, _ clock: PhaseClock, body: @escaping (Int, Int) -> Void
  ) {
    self.phase = phase
    self.taskCount = taskCount
    self.clock = clock
    self.body = body
  }

  func work(thread: Int) {
    clock.start(phase, thread: thread)
    while true {
      let task = next.add(1, ordering: .relaxed).oldValue
      guard task < taskCount else { break }
      body(task, thread)
      clock.enter(phase, thread: thread)
    }
    clock.enter(phase, thread: thread)
  }
}

/// Where a team's threads find their work.
private final class Board: @unchecked Sendable {
  // Unchecked: everything mutable is only touched with `condition` locked.
  private let condition = Condition()
  private var job: Job?
  /// Counts the jobs posted, so that no thread takes one twice.
  private var generation = 0
  private var workingCount = 0
  private var isEnding = false

  func post(_ job: Job, helperCount: Int) {
    condition.lock()
    self.job = job
    generation += 1
    workingCount = helperCount
    condition.broadcast()
    condition.unlock()
  }

  func waitForHelpers() {
    condition.lock()
    while workingCount > 0 { condition.wait() }
    job = nil
    condition.unlock()
  }

  func end() {
    condition.lock()
    isEnding = true
    condition.broadcast()
    condition.unlock()
  }

  func serve(thread: Int) {
    var seen = 0
    condition.lock()
    while true {
      while generation == seen && !isEnding { condition.wait() }
      guard !isEnding, let job else { break }
      seen = generation
      condition.unlock()
      job.work(thread: thread)
      condition.lock()
      workingCount -= 1
      if workingCount == 0 { condition.broadcast() }
    }
    condition.unlock()
  }
}
