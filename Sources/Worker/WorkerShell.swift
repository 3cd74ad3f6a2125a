internal import Coordination
internal import FlapCore
internal import Glibc
internal import Host
internal import Logging
internal import Transport
internal import Wire

/// The thread that talks: it owns the socket, asks the machine what to do, and does it.
struct WorkerShell: ~Copyable {
  private var machine: WorkerMachine
  private let socket: Socket
  private let compute: ComputeThread
  private let wakeUp: WakeUp
  private var memory = ProcessMemory()
  private var watchesStandardInput: Bool
  private let log: Logger
  private var ending: Ending?

  /// How the process ends.
  struct Ending {
    let reason: String
    let isFailure: Bool
  }

  init(
    hello: Hello, socket: consuming Socket, compute: ComputeThread, wakeUp: WakeUp,
    watchesStandardInput: Bool, log: Logger
  ) {
    machine = WorkerMachine(hello: hello)
    self.socket = socket
    self.compute = compute
    self.wakeUp = wakeUp
    self.watchesStandardInput = watchesStandardInput
    self.log = log
  }

  /// Talks until there is a reason to end.
  consuming func run() throws -> Ending {
    try handle(.started)
    while ending == nil {
      let ready = try Poller.wait(
        for: socket, descriptors: descriptors, timeout: untilTimer())
      wakeUp.drain()
      for finished in compute.takeOutcomes() {
        try handle(.finished(finished.attempt, finished.outcome, status()))
      }
      try receiveAll()
      if watchesStandardInput, ready.contains(STDIN_FILENO), standardInputIsClosed() {
        try handle(.stop(reason: "standard input was closed"))
      }
      if let due = machine.nextTimer, due <= .now { try handle(.timer(status())) }
    }
    compute.post(.stop)
    return ending!
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
      case .configure(let welcome): compute.post(.configure(welcome))
      case .adopt(let plan): compute.post(.adopt(plan))
      case .begin(let assignment): compute.post(.begin(assignment))
      case .abandon(let attempt): compute.progress.abandon(attempt)
      case .exit(let reason, let isFailure):
        ending = Ending(reason: reason, isFailure: isFailure)
      }
    }
  }

  private mutating func status() -> WorkerStatus {
    memory.sample()
    let steps = compute.progress.steps
    return WorkerStatus(
      completedSteps: steps.completed, totalSteps: steps.total,
      residentBytes: memory.residentBytes, peakResidentBytes: memory.peakResidentBytes)
  }

  /// Reads what is there: nobody writes to a worker, so an end of file is all that can be news.
  private func standardInputIsClosed() -> Bool {
    var byte: UInt8 = 0
    return read(STDIN_FILENO, &byte, 1) <= 0
  }
}
