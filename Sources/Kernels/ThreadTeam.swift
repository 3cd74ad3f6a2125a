internal import CKernels
internal import Foundation
internal import Synchronization

/// Threads that share out numbered tasks; the caller is one of them.
///
/// Which thread takes a task is left to chance, so tasks must not depend on it: each writes its own
/// part of the result. Threads that wait sleep; none spins. The library below (oneDNN with
/// OpenMP) is told to use one thread for each of ours.
public final class ThreadTeam: @unchecked Sendable {
  // Unchecked: `job`, `generation` and `working` are only touched with `condition` locked.

  /// Threads, the caller included.
  public let threadCount: Int

  private let condition = NSCondition()
  private var job: Job?
  private var generation = 0
  private var working = 0
  private var isEnding = false

  /// One call of ``run(taskCount:_:)``; its body lives until the call returns.
  private final class Job: @unchecked Sendable {
    // Unchecked: the body is called from several threads at once, as `run` documents.
    let taskCount: Int
    let next = Atomic<Int>(0)
    let body: (_ task: Int, _ thread: Int) -> Void

    init(taskCount: Int, body: @escaping (Int, Int) -> Void) {
      self.taskCount = taskCount
      self.body = body
    }

    func work(thread: Int) {
      while true {
        let task = next.add(1, ordering: .relaxed).oldValue
        guard task < taskCount else { return }
        body(task, thread)
      }
    }
  }

  /// - Precondition: `threadCount` ≥ 1.
  public init(threadCount: Int) {
    precondition(threadCount >= 1, "A team has at least its caller.")
    self.threadCount = threadCount
    for index in 1..<threadCount {
      // Not retained, so that the team can end; it waits for its threads then.
      let thread = Thread { [unowned(unsafe) self] in serve(thread: index) }
      thread.name = "team-\(index)"
      thread.start()
    }
  }

  deinit {
    condition.lock()
    isEnding = true
    generation += 1
    condition.broadcast()
    while working < threadCount - 1 { condition.wait() }
    condition.unlock()
  }

  /// Runs `body` for every task 0..<taskCount, on all threads at once, and waits for the last.
  ///
  /// - Parameter body: called with the task and the thread (0..<threadCount, for scratch that
  ///   belongs to a thread), from several threads at once.
  public func run(taskCount: Int, _ body: (_ task: Int, _ thread: Int) -> Void) {
    flap_use_one_library_thread()
    guard threadCount > 1, taskCount > 1 else {
      for task in 0..<taskCount { body(task, 0) }
      return
    }
    withoutActuallyEscaping(body) { body in
      let job = Job(taskCount: taskCount, body: body)
      condition.lock()
      self.job = job
      generation += 1
      working = threadCount - 1
      condition.broadcast()
      condition.unlock()
      job.work(thread: 0)
      condition.lock()
      while working > 0 { condition.wait() }
      self.job = nil
      condition.unlock()
    }
  }

  private func serve(thread: Int) {
    flap_use_one_library_thread()
    var seen = 0
    condition.lock()
    while true {
      while generation == seen { condition.wait() }
      seen = generation
      guard !isEnding, let job else { break }
      condition.unlock()
      job.work(thread: thread)
      condition.lock()
      working -= 1
      condition.broadcast()
    }
    working += 1
    condition.broadcast()
    condition.unlock()
  }
}
