public import FlapCore

/// The worker's side of a run, without socket, clock or thread: events go in, effects come out.
///
/// A worker has at most one task. It goes one way round: idle → computing → offering (a report
/// that waits for credit and goes out in chunks) → delivered (waiting for the acknowledgement)
/// → idle. Only the acknowledgement lets it forget a result.
public struct WorkerMachine: Sendable {
  public enum Event: Sendable {
    /// The socket is there; the worker introduces itself.
    case started
    case received(CoordinatorMessage)
    /// The computation of an attempt has ended. The status is what a heartbeat would say now.
    case finished(TaskAttempt, Outcome, WorkerStatus)
    /// Time has passed. The status is what a heartbeat would say now.
    case timer(WorkerStatus)
    /// Standard input was closed or a signal came: whoever started this worker wants it gone.
    case stop(reason: String)
  }

  public enum Effect: Hashable, Sendable {
    case send(WorkerMessage)
    /// The run's terms are known: allocate what the work needs.
    case configure(Welcome)
    case adopt(PlanBroadcast)
    case begin(Assignment)
    /// Abandon the computation; its outcome is not wanted.
    case abandon(TaskAttempt)
    /// End the process. `isFailure` decides the exit code.
    case exit(reason: String, isFailure: Bool)
  }

  /// What came of a computation.
  public enum Outcome: Hashable, Sendable {
    case report([UInt8], Digest)
    case shard(fileName: String, byteCount: Int, digest: Digest)
    case failed(TaskFailure.Class, reason: String)
  }

  enum State: Hashable, Sendable {
    case joining
    case idle
    case computing(TaskAttempt)
    case offering(Report, sentBytes: Int, credits: Int)
    case delivered(TaskAttempt)
    case ended
  }

  struct Report: Hashable, Sendable {
    let attempt: TaskAttempt
    let bytes: [UInt8]
  }

  let hello: Hello
  /// Before the coordinator's own numbers are known.
  static let helloInterval = Duration.seconds(2)
  static let joinLimit = Duration.seconds(600)

  var state = State.joining
  var terms: Welcome?
  /// The coordinator asked to leave after the work at hand.
  var isDraining = false
  var lastHeard: Instant?
  var lastBeat: Instant?

  public init(hello: Hello) { self.hello = hello }

  /// Takes one event and returns what is to be done about it, in order.
  public mutating func handle(_ event: Event, at now: Instant) -> [Effect] {
    guard state != .ended else { return [] }
    var effects: [Effect] = []
    switch event {
    case .started: introduce(now, &effects)
    case .received(let message):
      lastHeard = now
      receive(message, now, &effects)
    case .finished(let attempt, let outcome, let status):
      finish(attempt, outcome, status, &effects)
    case .timer(let status): passTime(status, now, &effects)
    case .stop(let reason):
      effects.append(.send(.bye(reason: reason)))
      end(reason, isFailure: false, &effects)
    }
    if isDraining, state == .idle {
      effects.append(.send(.bye(reason: "drained")))
      end("drained", isFailure: false, &effects)
    }
    return effects
  }

  /// When ``Event/timer(_:)`` is due next.
  public var nextTimer: Instant? {
    guard let lastBeat else { return nil }
    return lastBeat + (terms?.heartbeatInterval ?? WorkerMachine.helloInterval)
  }

  // MARK: Time

  private mutating func introduce(_ now: Instant, _ effects: inout [Effect]) {
    lastBeat = now
    lastHeard = lastHeard ?? now
    effects.append(.send(.hello(hello)))
  }

  private mutating func passTime(
    _ status: WorkerStatus, _ now: Instant, _ effects: inout [Effect]
  ) {
    guard let lastHeard, let nextTimer, now >= nextTimer else { return }
    if now - lastHeard >= terms?.lease ?? WorkerMachine.joinLimit {
      let silence = Int((now - lastHeard).seconds)
      return end("no word from the coordinator for \(silence) s", isFailure: true, &effects)
    }
    guard terms != nil else { return introduce(now, &effects) }
    lastBeat = now
    effects.append(.send(.heartbeat(status.heartbeat(for: currentAttempt))))
  }

  // MARK: Messages

  private mutating func receive(
    _ message: CoordinatorMessage, _ now: Instant, _ effects: inout [Effect]
  ) {
    switch message {
    case .welcome(let welcome):
      guard terms == nil else { return }
      terms = welcome
      lastBeat = now
      state = .idle
      effects.append(.configure(welcome))
    case .reject(let reason): end(reason, isFailure: true, &effects)
    case .leaseRenewed: break
    case .assign(let assignment): begin(assignment, &effects)
    case .credit(let chunks): sendChunks(credit: chunks, &effects)
    case .reportAcknowledged(let attempt), .cancel(let attempt): forget(attempt, &effects)
    case .plan(let plan): effects.append(.adopt(plan))
    case .drain: isDraining = true
    case .shutdown: end("the run is over", isFailure: false, &effects)
    }
  }

  private mutating func begin(_ assignment: Assignment, _ effects: inout [Effect]) {
    guard state == .idle else {
      let failure = TaskFailure(
        attempt: assignment.attempt, failureClass: .transient, reason: "the worker is busy")
      effects.append(.send(.taskFailed(failure)))
      return
    }
    state = .computing(assignment.attempt)
    effects.append(.send(.accepted(assignment.attempt)))
    effects.append(.begin(assignment))
  }

  private mutating func finish(
    _ attempt: TaskAttempt, _ outcome: Outcome, _ status: WorkerStatus,
    _ effects: inout [Effect]
  ) {
    guard state == .computing(attempt) else { return }
    // Work shorter than the interval of heartbeats tells its memory and steps all the same.
    effects.append(.send(.heartbeat(status.heartbeat(for: attempt))))
    switch outcome {
    case .report(let bytes, let digest):
      state = .offering(Report(attempt: attempt, bytes: bytes), sentBytes: 0, credits: 0)
      let begin = ReportBegin(attempt: attempt, byteCount: bytes.count, digest: digest)
      effects.append(.send(.reportBegin(begin)))
    case .shard(let fileName, let byteCount, let digest):
      state = .delivered(attempt)
      let shard = ShardCommitted(
        attempt: attempt, fileName: fileName, byteCount: byteCount, digest: digest)
      effects.append(.send(.shardCommitted(shard)))
    case .failed(let failureClass, let reason):
      state = .idle
      let failure = TaskFailure(attempt: attempt, failureClass: failureClass, reason: reason)
      effects.append(.send(.taskFailed(failure)))
    }
  }

  private mutating func sendChunks(credit: Int, _ effects: inout [Effect]) {
    guard case .offering(let report, var sentBytes, var credits) = state else { return }
    credits += credit
    while credits > 0, sentBytes < report.bytes.count {
      let end = min(sentBytes + Limits.chunkBytes, report.bytes.count)
      let chunk = ReportChunk(
        attempt: report.attempt, offset: sentBytes, bytes: Array(report.bytes[sentBytes..<end]))
      effects.append(.send(.reportChunk(chunk)))
      sentBytes = end
      credits -= 1
    }
    if sentBytes == report.bytes.count {
      state = .delivered(report.attempt)
      effects.append(.send(.reportEnd(report.attempt)))
    } else {
      state = .offering(report, sentBytes: sentBytes, credits: credits)
    }
  }

  private mutating func forget(_ attempt: TaskAttempt, _ effects: inout [Effect]) {
    guard attempt == currentAttempt else { return }
    if state == .computing(attempt) { effects.append(.abandon(attempt)) }
    state = .idle
  }

  // MARK: State

  var currentAttempt: TaskAttempt? {
    switch state {
    case .joining, .idle, .ended: nil
    case .computing(let attempt), .delivered(let attempt): attempt
    case .offering(let report, _, _): report.attempt
    }
  }

  private mutating func end(_ reason: String, isFailure: Bool, _ effects: inout [Effect]) {
    if case .computing(let attempt) = state { effects.append(.abandon(attempt)) }
    state = .ended
    effects.append(.exit(reason: reason, isFailure: isFailure))
  }
}
