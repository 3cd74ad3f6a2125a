public import FlapCore

/// The worker's side of a run, without socket, clock or thread: events go in, effects come out.
///
/// A worker has at most one task. It goes one way round: idle → computing → offering (a report
/// that waits for credit and goes out in chunks) → delivered (waiting for the acknowledgement)
/// → idle. Only the acknowledgement lets it forget a result, whose bytes the shell keeps.
public struct WorkerMachine: Sendable {
  public enum Event: Sendable {
    /// The socket is there; the worker introduces itself.
    case started
    case received(CoordinatorMessage)
    /// The computation of an attempt has ended. The status is what a heartbeat would say now.
    case finished(TaskAttempt, Outcome, WorkerStatus)
    /// Time has passed. The status is what a heartbeat would say now.
    case timer(WorkerStatus)
    /// Standard input was closed: whoever started this worker is gone.
    case abandoned(reason: String)
    /// A signal asks the worker to leave, though the run goes on.
    case leave(reason: String)
  }

  public enum Effect: Hashable, Sendable {
    case send(WorkerMessage)
    /// Send these bytes of the attempt's result as the next chunk.
    case sendChunk(TaskAttempt, Range<Int>)
    /// The run's terms are known: allocate what the work needs.
    case configure(Welcome)
    case adopt(PlanBroadcast)
    case begin(Assignment)
    /// Abandon the computation; its outcome is not wanted.
    case abandon(TaskAttempt)
    /// The bytes of the attempt's result are not needed any more.
    case forget(TaskAttempt)
    case exit(Ending)
  }

  /// How a worker's part in a run ends.
  public struct Ending: Hashable, Sendable {
    public enum Kind: Hashable, Sendable {
      /// The run is done, or whoever started the worker is gone.
      case done
      /// It was asked to leave before the run's end.
      case left
      /// The coordinator is silent: perhaps a later one is not.
      case orphaned
      /// The run was interrupted or failed: a later coordinator may go on with it.
      case endedEarly
      /// The coordinator does not want this worker, now or later.
      case refused
      /// The coordinator gave this worker up: it may join again, as another.
      case givenUp
    }

    public let kind: Kind
    public let reason: String

    public init(kind: Kind, reason: String) {
      self.kind = kind
      self.reason = reason
    }
  }

  /// What came of a computation.
  public enum Outcome: Hashable, Sendable {
    /// The shell holds so many bytes, with this digest, to be sent; at the endpoint what they tell of
    /// can be asked for.
    case report(byteCount: Int, Digest, endpoint: String = "")
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
    let byteCount: Int
  }

  let hello: Hello
  let chunkBytes: Int
  /// Before the coordinator's own numbers are known.
  static let helloInterval = Duration.seconds(2)

  /// For how long the worker waits for a coordinator that welcomes it.
  let joinLimit: Duration
  /// Before the first hello.
  let pause: Duration
  var state = State.joining
  var terms: Welcome?
  /// The coordinator asked to leave after the work at hand.
  var isDraining = false
  /// Of the last assignment that was taken.
  var lastSerial: UInt64 = 0
  var lastHeard: Instant?
  var lastBeat: Instant?
  /// Checksums that the coordinator has, and those that it gets with the result at hand.
  var confirmedChecksums = 0
  var offeredChecksums = 0

  /// - Parameters:
  ///   - joinLimit: for how long it waits to be welcomed.
  ///   - pause: before it introduces itself.
  ///   - chunkBytes: of the chunks in which a result is sent.
  public init(
    hello: Hello, joinLimit: Duration = .seconds(600), pause: Duration = .zero,
    chunkBytes: Int = Limits.chunkBytes
  ) {
    self.hello = hello
    self.joinLimit = joinLimit
    self.pause = pause
    self.chunkBytes = chunkBytes
  }

  /// Takes one event and returns what is to be done about it, in order.
  public mutating func handle(_ event: Event, at now: Instant) -> [Effect] {
    guard state != .ended else { return [] }
    var effects: [Effect] = []
    switch event {
    case .started: start(now, &effects)
    case .received(let message):
      lastHeard = now
      receive(message, now, &effects)
    case .finished(let attempt, let outcome, let status):
      finish(attempt, outcome, status, &effects)
    case .timer(let status): passTime(status, now, &effects)
    case .abandoned(let reason): takeLeave(.done, reason, &effects)
    case .leave(let reason): takeLeave(.left, reason, &effects)
    }
    if isDraining, state == .idle { takeLeave(.endedEarly, "drained", &effects) }
    return effects
  }

  /// When ``Event/timer(_:)`` is due next.
  public var nextTimer: Instant? {
    guard let lastBeat else { return nil }
    return lastBeat + (terms?.heartbeatInterval ?? WorkerMachine.helloInterval)
  }

  /// Whether a coordinator has welcomed this worker.
  public var hasJoined: Bool { terms != nil }

  // MARK: Time

  private mutating func start(_ now: Instant, _ effects: inout [Effect]) {
    guard pause > .zero else { return introduce(now, &effects) }
    lastHeard = now
    lastBeat = now + pause - WorkerMachine.helloInterval
  }

  private mutating func introduce(_ now: Instant, _ effects: inout [Effect]) {
    lastBeat = now
    lastHeard = lastHeard ?? now
    effects.append(.send(.hello(hello)))
  }

  private mutating func passTime(
    _ status: WorkerStatus, _ now: Instant, _ effects: inout [Effect]
  ) {
    guard let lastHeard, let nextTimer, now >= nextTimer else { return }
    if now - lastHeard >= terms?.lease ?? joinLimit {
      let silence = Int((now - lastHeard).seconds)
      return end(.orphaned, "no word from the coordinator for \(silence) s", &effects)
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
    case .reject(let rejection):
      end(rejection.isFinal ? .refused : .givenUp, rejection.reason, &effects)
    case .leaseRenewed: break
    case .assign(let assignment): begin(assignment, &effects)
    case .credit(let attempt, let chunks): sendChunks(of: attempt, credit: chunks, &effects)
    case .reportAcknowledged(let attempt):
      if state == .delivered(attempt) { confirmedChecksums = offeredChecksums }
      forget(attempt, &effects)
    case .cancel(let attempt): forget(attempt, &effects)
    case .plan(let plan): effects.append(.adopt(plan))
    case .drain: isDraining = true
    case .shutdown(.complete): end(.done, "the run is over", &effects)
    case .shutdown(.early): end(.endedEarly, "the run ended early", &effects)
    }
  }

  /// The coordinator knows what it wants done: the newest assignment counts. What it says of an
  /// older task, it has said already or does not need.
  private mutating func begin(_ assignment: Assignment, _ effects: inout [Effect]) {
    guard terms != nil, assignment.serial > lastSerial else { return }
    lastSerial = assignment.serial
    letGo(&effects)
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
    let checksums = Array(status.checksums.dropFirst(confirmedChecksums))
    offeredChecksums = status.checksums.count
    switch outcome {
    case .report(let byteCount, let digest, let endpoint):
      let report = Report(attempt: attempt, byteCount: byteCount)
      state = .offering(report, sentBytes: 0, credits: 0)
      let begin = ReportBegin(
        attempt: attempt, byteCount: byteCount, digest: digest, endpoint: endpoint,
        checksums: checksums)
      effects.append(.send(.reportBegin(begin)))
    case .shard(let fileName, let byteCount, let digest):
      state = .delivered(attempt)
      let shard = ShardCommitted(
        attempt: attempt, fileName: fileName, byteCount: byteCount, digest: digest,
        checksums: checksums)
      effects.append(.send(.shardCommitted(shard)))
    case .failed(let failureClass, let reason):
      state = .idle
      let failure = TaskFailure(
        attempt: attempt, failureClass: failureClass, reason: reason, checksums: checksums)
      effects.append(.send(.taskFailed(failure)))
    }
  }

  private mutating func sendChunks(
    of attempt: TaskAttempt, credit: Int, _ effects: inout [Effect]
  ) {
    guard case .offering(let report, var sentBytes, var credits) = state,
      report.attempt == attempt
    else { return }
    credits += credit
    while credits > 0, sentBytes < report.byteCount {
      let end = min(sentBytes + chunkBytes, report.byteCount)
      effects.append(.sendChunk(report.attempt, sentBytes..<end))
      sentBytes = end
      credits -= 1
    }
    if sentBytes == report.byteCount {
      state = .delivered(report.attempt)
      effects.append(.send(.reportEnd(report.attempt)))
    } else {
      state = .offering(report, sentBytes: sentBytes, credits: credits)
    }
  }

  private mutating func forget(_ attempt: TaskAttempt, _ effects: inout [Effect]) {
    guard attempt == currentAttempt else { return }
    letGo(&effects)
    state = .idle
  }

  /// Whatever is at hand is not wanted any more.
  private mutating func letGo(_ effects: inout [Effect]) {
    switch state {
    case .computing(let attempt): effects.append(.abandon(attempt))
    case .offering(let report, _, _): effects.append(.forget(report.attempt))
    case .delivered(let attempt): effects.append(.forget(attempt))
    case .joining, .idle, .ended: break
    }
  }

  // MARK: State

  var currentAttempt: TaskAttempt? {
    switch state {
    case .joining, .idle, .ended: nil
    case .computing(let attempt), .delivered(let attempt): attempt
    case .offering(let report, _, _): report.attempt
    }
  }

  /// Hands back what is at hand: nobody waits for a lease.
  private mutating func takeLeave(
    _ kind: Ending.Kind, _ reason: String, _ effects: inout [Effect]
  ) {
    effects.append(.send(.bye(reason: reason)))
    end(kind, reason, &effects)
  }

  private mutating func end(
    _ kind: Ending.Kind, _ reason: String, _ effects: inout [Effect]
  ) {
    // What was delivered may be about to be stored; after a final refusal it is not.
    if case .delivered = state, kind != .refused {} else { letGo(&effects) }
    state = .ended
    effects.append(.exit(Ending(kind: kind, reason: reason)))
  }
}
