internal import Coordination
internal import Dispatch
internal import Glibc
internal import Kernels
internal import Synchronization
internal import Transport

/// The thread that does a worker's work, so that the one that talks never waits for it.
///
/// Orders go in, outcomes come out through ``takeOutcomes()`` after the wake-up was signalled.
final class ComputeThread: Sendable {
  enum Order: Sendable {
    case configure(Welcome, coordinator: String)
    case adopt(PlanBroadcast)
    case begin(Assignment)
    case stop
  }

  struct Finished: Sendable {
    let attempt: TaskAttempt
    let outcome: ComputeOutcome
  }

  let progress = TaskProgress()
  private let orders = Mutex<[Order]>([])
  private let ordersWaiting = DispatchSemaphore(value: 0)
  private let outcomes = Mutex<[Finished]>([])
  private let wakeUp: WakeUp

  /// - Parameter makeRunner: called on the new thread; what it makes never leaves it.
  init(wakeUp: WakeUp, makeRunner: @escaping @Sendable (TaskProgress) -> TaskRunner) {
    self.wakeUp = wakeUp
    SystemThread.start(name: "compute", stackBytes: 8 << 20) { [self] in
      run(makeRunner(progress))
    }
  }

  func post(_ order: Order) {
    orders.withLock { $0.append(order) }
    ordersWaiting.signal()
  }

  /// Waits for abandoned work to stop; drops what came of it.
  func becomesIdle(within limit: Duration) -> Bool {
    let deadline = ContinuousClock.now + limit
    while progress.isBusy || orders.withLock({ !$0.isEmpty }) {
      guard ContinuousClock.now < deadline else { return false }
      usleep(10_000)
    }
    _ = takeOutcomes()
    return true
  }

  func takeOutcomes() -> [Finished] {
    outcomes.withLock { outcomes in
      defer { outcomes = [] }
      return outcomes
    }
  }

  private func run(_ runner: TaskRunner) {
    while true {
      ordersWaiting.wait()
      switch orders.withLock({ $0.removeFirst() }) {
      case .configure(let welcome, let endpoint):
        runner.configure(welcome, coordinator: endpoint)
      case .adopt(let plan): runner.adopt(plan)
      case .begin(let assignment):
        progress.begin(assignment.attempt)
        let outcome = runner.perform(assignment)
        progress.end()
        guard let outcome else { continue }
        outcomes.withLock { $0.append(Finished(attempt: assignment.attempt, outcome: outcome)) }
        wakeUp.signal()
      case .stop: return
      }
    }
  }
}
