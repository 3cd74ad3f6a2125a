internal import Coordination
internal import FlapCore
internal import Host
internal import Transport
internal import Wire

/// One worker that is played: a real machine and a real connection, and results out of a hat.
///
/// A class, so that many of them, whose sockets have one owner each, can stand in an array.
final class SyntheticWorker {
  /// What a turn has come to, for whoever plays many workers.
  enum Happening {
    case assigned(Assignment)
    case announced(TaskAttempt)
    case sent(byteCount: Int)
    case acknowledged(TaskAttempt)
    case ended(WorkerMachine.Ending)
  }

  /// Ready to read when there may be something to do.
  let descriptor: Int32
  private var machine: WorkerMachine
  private let socket: Socket
  private var held: (attempt: TaskAttempt, report: SyntheticReport)?
  private(set) var hasEnded = false

  /// Connects and says hello.
  init(
    name: String, modelDigest: Digest, ticket: ConnectionTicket, context: MessagingContext,
    _ happened: (Happening) -> Void
  ) throws {
    socket = try Socket(
      context: context, kind: .dealer, routingID: Array(name.utf8), security: ticket.security)
    try socket.connect(ticket.endpoint)
    descriptor = try socket.changeDescriptor()
    machine = WorkerMachine(
      hello: Hello(
        softwareVersion: SoftwareVersion.current, host: name, processID: 1,
        instance: .random(in: .min ... .max),
        modelDigest: modelDigest, kernelFingerprint: "synthetic", coreCount: 1, threadCount: 1,
        memoryBytes: 1 << 30))
    try handle(.started, happened)
  }

  /// Does what is to be done now, and all of it: the descriptor tells of changes only.
  func takeTurn(_ happened: (Happening) -> Void) throws {
    if let due = machine.nextTimer, due <= .now { try handle(.timer(status), happened) }
    while !hasEnded, let message = try socket.receive() {
      try handle(.received(WireCodec.decodeCoordinatorMessage(message.frames)), happened)
    }
  }

  var nextTimer: Instant? { hasEnded ? nil : machine.nextTimer }

  /// Delivers a result; nil: there is none for this kind of work.
  func finish(
    _ attempt: TaskAttempt, with report: SyntheticReport?, _ happened: (Happening) -> Void
  ) throws {
    guard let report else {
      let reason = "flap-load computes nothing: use flap-coord calibrate"
      return try handle(.finished(attempt, .failed(.permanent, reason: reason), status), happened)
    }
    held = (attempt, report)
    try handle(
      .finished(attempt, .report(byteCount: report.byteCount, report.digest), status), happened)
    // Sending may have taken in what the descriptor would have told of.
    try takeTurn(happened)
  }

  private var status: WorkerStatus {
    WorkerStatus(completedSteps: held == nil ? 0 : 1, totalSteps: 1)
  }

  private func handle(_ event: WorkerMachine.Event, _ happened: (Happening) -> Void) throws {
    for effect in machine.handle(event, at: .now) {
      switch effect {
      case .send(let message):
        _ = try socket.send(WireCodec.encode(message))
        if case .reportBegin(let begin) = message { happened(.announced(begin.attempt)) }
      case .sendChunk(let attempt, let range):
        guard let held, held.attempt == attempt else {
          preconditionFailure("a result is kept until the machine forgets it")
        }
        let chunk = ReportChunk(
          attempt: attempt, offset: range.lowerBound, bytes: held.report.chunk(range))
        _ = try socket.send(WireCodec.encode(.reportChunk(chunk)))
        happened(.sent(byteCount: range.count))
      case .forget(let attempt):
        held = nil
        happened(.acknowledged(attempt))
      case .begin(let assignment): happened(.assigned(assignment))
      case .configure, .adopt, .abandon: break
      case .exit(let ending):
        hasEnded = true
        happened(.ended(ending))
      }
    }
  }
}
