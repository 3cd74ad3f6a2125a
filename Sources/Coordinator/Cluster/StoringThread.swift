internal import Coordination
internal import Dispatch
internal import Foundation
internal import Synchronization
internal import Transport

/// Makes complete results safe on a thread of its own, one after another in the order in which they
/// were handed over, so that the loop that answers the workers never waits for a disk.
///
/// The ledger, and with it the journal, lives on this thread during a phase. What came of a result
/// comes out through ``takeAnswers()`` after the wake-up was signalled.
final class StoringThread: Sendable {
  /// Checks a result and makes it safe.
  typealias Keep = @Sendable (inout RunLedger, Delivery) throws -> RunLedger.Verdict

  /// A complete result, to be stored.
  struct Delivery: Sendable {
    let attempt: TaskAttempt
    let work: Work
    let result: TaskResult
    /// What came over the wire; nil of a shard that its worker wrote itself.
    let received: ReceivedResult?
    let claim: ModelClaim
  }

  enum Answer: Sendable {
    case kept(Delivery)
    case refused(Delivery, reason: String)
    /// The model of the worker is damaged. What it delivered is refused after it.
    case damaged(WorkerID, TensorDamage)
    case verified(TaskFailure, WorkerID)
    /// Nothing more is stored after it.
    case failed(any Error)
  }

  private enum Order: Sendable {
    /// Keeps something else before what is stored next.
    case keep(@Sendable () throws -> Void)
    case store(Delivery)
    case verify(TaskFailure, ModelClaim)
    case end
  }

  private let ledger: Mutex<RunLedger>
  private let orders = Mutex<[Order]>([])
  private let ordersWaiting = DispatchSemaphore(value: 0)
  private let hasEnded = DispatchSemaphore(value: 0)
  private let answers = Mutex<[Answer]>([])
  private let reference: ModelReference
  private let wakeUp: WakeUp

  init(
    _ ledger: RunLedger, _ reference: ModelReference, wakeUp: WakeUp, keep: @escaping Keep
  ) {
    self.ledger = Mutex(ledger)
    self.reference = reference
    self.wakeUp = wakeUp
    let thread = Thread { [self] in run(keep) }
    thread.name = "storing"
    thread.start()
  }

  func store(_ delivery: Delivery) { post(.store(delivery)) }

  /// Looks whether a worker has the model that it should have.
  func verify(_ failure: TaskFailure, _ claim: ModelClaim) { post(.verify(failure, claim)) }

  /// Writes to the disk, too, and comes before what is stored from now on.
  func keep(_ body: @escaping @Sendable () throws -> Void) { post(.keep(body)) }

  func takeAnswers() -> [Answer] {
    answers.withLock { answers in
      defer { answers = [] }
      return answers
    }
  }

  /// Waits until what was handed over is safe.
  /// - Returns: the ledger, with all that was kept.
  func finish() -> RunLedger {
    post(.end)
    hasEnded.wait()
    return ledger.withLock { $0 }
  }

  private func post(_ order: Order) {
    orders.withLock { $0.append(order) }
    ordersWaiting.signal()
  }

  private func run(_ keep: Keep) {
    var hasFailed = false
    while true {
      ordersWaiting.wait()
      let order = orders.withLock { $0.removeFirst() }
      if case .end = order { break }
      if hasFailed { continue }
      do {
        try perform(order, keep)
      } catch {
        answer(.failed(error))
        hasFailed = true
      }
    }
    hasEnded.signal()
  }

  private func perform(_ order: Order, _ keep: Keep) throws {
    switch order {
    case .store(let delivery):
      if let damage = try reference.damage(in: delivery.claim) {
        answer(.damaged(delivery.claim.worker, damage))
        answer(.refused(delivery, reason: "it was computed from a damaged copy of the model"))
        return
      }
      switch try ledger.withLock({ try keep(&$0, delivery) }) {
      case .kept: answer(.kept(delivery))
      case .refused(let reason): answer(.refused(delivery, reason: reason))
      }
    case .verify(let failure, let claim):
      if let damage = try reference.damage(in: claim) {
        answer(.damaged(claim.worker, damage))
      } else {
        answer(.verified(failure, claim.worker))
      }
    case .keep(let body): try body()
    case .end: break
    }
  }

  /// Tells those who wait.
  private func answer(_ answer: Answer) {
    answers.withLock { $0.append(answer) }
    wakeUp.signal()
  }
}
