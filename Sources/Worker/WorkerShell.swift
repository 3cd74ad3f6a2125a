internal import Checkpoint
internal import Coordination
internal import FlapCore
internal import Glibc
internal import Host
internal import Logging
internal import Storage
internal import SystemPackage
internal import Transport
internal import Wire

/// The thread that talks: it owns the socket, asks the machine what to do, and does it.
struct WorkerShell: ~Copyable {
  private var machine: WorkerMachine
  private let socket: Socket
  private let compute: ComputeThread
  private let wakeUp: WakeUp
  private let interruption: Interruption
  private var memory = ProcessMemory()
  private var watchesStandardInput: Bool
  private let checkpoint: Checkpoint
  private let log: Logger
  /// The result that is offered, until the coordinator has it.
  private var held: (attempt: TaskAttempt, result: SpooledFile)?
  /// The shard that was delivered last: it goes if nobody wants it.
  private var shard: WaitingFile?
  private var ending: WorkerMachine.Ending?
  private let endpoint: String

  init(
    machine: WorkerMachine, checkpoint: Checkpoint, socket: consuming Socket,
    compute: ComputeThread, wakeUp: WakeUp, interruption: Interruption, endpoint: String,
    watchesStandardInput: Bool, log: Logger
  ) {
    self.machine = machine
    self.socket = socket
    self.compute = compute
    self.wakeUp = wakeUp
    self.interruption = interruption
    self.checkpoint = checkpoint
    self.watchesStandardInput = watchesStandardInput
    self.log = log
    self.endpoint = endpoint
  }

  /// Talks until there is a reason to end.
  ///
  /// - Parameter notice: of the time without a run, in which there may be several shells.
  /// - Returns: the reason, and whether the worker belonged to a run.
  consuming func run(_ notice: inout WaitingNotice) throws -> (
    WorkerMachine.Ending, hasJoined: Bool
  ) {
    try handle(.started)
    while ending == nil {
      let ready = try Poller.wait(
        for: socket, descriptors: descriptors, timeout: untilTimer())
      wakeUp.drain()
      for finished in compute.takeOutcomes() { try take(finished) }
      try receiveAll()
      if watchesStandardInput, ready.contains(STDIN_FILENO), standardInputIsClosed() {
        try handle(.abandoned(reason: "standard input was closed"))
      }
      if let signal = interruption.signalName {
        try handle(.leave(reason: "it was asked to (\(signal))"))
      }
      if let due = machine.nextTimer, due <= .now { try handle(.timer(status())) }
      if !machine.hasJoined,
        let line = try notice.line(at: .now, endpoint, { try socket.connectingState() })
      {
        log.warning("\(line)")
      }
    }
    return (ending!, machine.hasJoined)
  }

  private mutating func take(_ finished: ComputeThread.Finished) throws {
    let outcome: WorkerMachine.Outcome
    switch finished.outcome {
    case .result(let result, let endpoint):
      held = (finished.attempt, result)
      outcome = .report(byteCount: result.byteCount, result.digest, endpoint: endpoint)
    case .shard(let file, let written):
      shard = file
      outcome = .shard(
        fileName: file.destination.lastComponent?.string ?? "", byteCount: written.byteCount,
        digest: written.digest)
    case .failed(let failureClass, let reason): outcome = .failed(failureClass, reason: reason)
    }
    try handle(.finished(finished.attempt, outcome, status()))
  }

  private var descriptors: [Int32] {
    watchesStandardInput ? [wakeUp.descriptor, STDIN_FILENO] : [wakeUp.descriptor]
  }

  private func untilTimer() -> Duration {
    guard let due = machine.nextTimer else { return .seconds(1) }
    return max(.zero, due - .now)
  }

  private mutating func receiveAll() throws {
    while ending == nil, let message = try socket.receive() {
      do {
        try handle(.received(WireCodec.decodeCoordinatorMessage(message.frames)))
      } catch let error as WireError {
        log.warning("a message that cannot be read was dropped: \(error)")
      }
    }
  }

  private mutating func handle(_ event: WorkerMachine.Event) throws {
    for effect in machine.handle(event, at: .now) {
      switch effect {
      case .send(let message): try socket.send(WireCodec.encode(message))
      case .sendChunk(let attempt, let range): try sendChunk(attempt, range)
      case .forget:
        held = nil
        shard?.remove()
        shard = nil
      case .configure(let welcome): compute.post(.configure(welcome, coordinator: endpoint))
      case .adopt(let plan): compute.post(.adopt(plan))
      case .begin(let assignment): compute.post(.begin(assignment))
      case .abandon(let attempt): compute.progress.abandon(attempt)
      case .exit(let ending): self.ending = ending
      }
    }
  }

  private func sendChunk(_ attempt: TaskAttempt, _ range: Range<Int>) throws {
    guard let held, held.attempt == attempt else {
      preconditionFailure("a result is kept until the machine forgets it")
    }
    let bytes = try held.result.bytes(in: range)
    let chunk = ReportChunk(attempt: attempt, offset: range.lowerBound, bytes: bytes)
    try socket.send(WireCodec.encode(.reportChunk(chunk)))
  }

  private mutating func status() -> WorkerStatus {
    memory.sample()
    let steps = compute.progress.steps
    return WorkerStatus(
      completedSteps: steps.completed, totalSteps: steps.total,
      residentBytes: memory.residentBytes, peakResidentBytes: memory.peakResidentBytes,
      checksums: checkpoint.checksums)
  }

  /// Reads what is there: nobody writes to a worker, so an end of file is all that can be news.
  private func standardInputIsClosed() -> Bool {
    var byte: UInt8 = 0
    return read(STDIN_FILENO, &byte, 1) <= 0
  }
}
