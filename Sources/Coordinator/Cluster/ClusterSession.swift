internal import Checkpoint
internal import Coordination
internal import FlapCore
internal import Host
internal import Launching
internal import Logging
internal import Storage
internal import SystemPackage
internal import Transport
internal import Wire

/// The workers of one run, from their start to their end.
///
/// The session owns the socket and the worker processes; it asks ``CoordinatorMachine`` what to
/// do and does it. A run performs its phases one after another with ``perform(_:meter:onResult:)``.
struct ClusterSession: ~Copyable {
  private var machine: CoordinatorMachine
  private let socket: Socket
  private var launcher: LocalLauncher
  private let log: Logger
  private let interruption: Interruption
  /// Which worker a local process is; known once it has said hello.
  private var workersByProcess: [Int32: WorkerID] = [:]
  private var isCompleted = false
  private var failure: RunFailure?
  private var nextTask: UInt64 = 0
  /// The most anonymous memory that any worker was seen to hold.
  private(set) var peakWorkerBytes = 0

  /// How often the session looks after its processes when nothing else happens.
  private static let watchInterval = Duration.milliseconds(100)

  /// Binds a socket and starts the workers.
  ///
  /// - Parameter pass: what the workers will run the model over, if they will.
  init(
    _ inputs: RunInputs, _ pass: SampledPass?, _ options: ClusterOptions, _ console: Console
  ) throws {
    let runID = String(UInt64.random(in: .min ... .max), radix: 16)
    let terms = pass.map { Welcome(runID: runID, pass: $0) } ?? Welcome(runID: runID)
    var settings = CoordinatorSettings(
      welcome: terms, modelDigest: inputs.checkpoint.digest,
      maximumReportBytes: Payload.largestReportBytes(shape: inputs.shape),
      digest: { Digest(hashing: $0) })
    settings.deadAfter = options.deadAfter
    settings.isStrict = options.isStrict
    let socket = try Socket(context: MessagingContext(), kind: .router)
    let endpoint = try socket.bind("tcp://127.0.0.1:*")
    guard let program = options.workerProgram ?? LocalLauncher.defaultExecutable else {
      throw UsageError("cannot tell where flap-worker is: name it with --worker-program")
    }
    launcher = try LocalLauncher(
      executable: program,
      arguments: [
        "--connect", endpoint, "--model", inputs.directory.string,
        "--threads", "\(options.threadCount)", "--watch-stdin",
      ], count: options.workerCount)
    self.socket = socket
    machine = CoordinatorMachine(settings: settings)
    log = console.log
    interruption = Interruption()
    log.debug("run \(runID) listens on \(endpoint)")
  }

  /// Runs a part of the run and ends the workers at once when it fails, so that none of them
  /// writes into a folder that is being cleared.
  mutating func guarded<Result>(_ body: (inout ClusterSession) throws -> Result) throws -> Result {
    do {
      return try body(&self)
    } catch {
      launcher.killAll()
      throw error
    }
  }

  /// Has the workers do some work; hands every result to `onResult`, in the order of arrival.
  ///
  /// - Throws: what `onResult` throws, the run's failure, or ``Interrupted``.
  mutating func perform(
    _ work: [Work], meter: consuming ProgressMeter, onResult: (Work, TaskResult) throws -> Void
  ) throws {
    var meter = meter
    let first = nextTask
    nextTask += UInt64(work.count)
    let tasks = work.enumerated().map {
      CoordinatorMachine.Task(id: TaskID(first + UInt64($0.offset)), work: $0.element)
    }
    isCompleted = false
    func store(_ task: TaskID, _ result: TaskResult) throws {
      try onResult(work[Int(task.rawValue - first)], result)
    }
    try handle(.submit(tasks), store)
    while !isCompleted {
      try takeTurn(store)
      let progress = machine.progress
      let done = progress.completedTasks - Double(progress.taskCount - work.count)
      meter.show(fraction: done / Double(max(work.count, 1)), workerCount: machine.workerCount)
    }
    meter.finish()
  }

  /// Tells every worker, also those that join later, what to write.
  mutating func broadcast(_ plan: PlanBroadcast) throws {
    try handle(.plan(plan)) { _, _ in }
  }

  /// Tells the workers to leave and waits for them; those that do not go are ended.
  mutating func end() throws {
    try handle(.shutdown) { _, _ in }
    let deadline = Instant.now + .seconds(5)
    while launcher.runningCount > 0, .now < deadline {
      _ = launcher.collectDepartures()
      _ = try Poller.wait(for: socket, descriptors: [], timeout: .milliseconds(10))
      while try socket.receive() != nil {}
    }
    launcher.killAll()
  }

  // MARK: One turn of the loop

  private mutating func takeTurn(_ store: (TaskID, TaskResult) throws -> Void) throws {
    _ = try Poller.wait(for: socket, descriptors: [], timeout: untilTimer())
    try interruption.check()
    while let message = try socket.receive() {
      try handle(event(for: message), store)
    }
    try watchProcesses(store)
    if let due = machine.nextTimer, due <= .now { try handle(.timer, store) }
    peakWorkerBytes = max(peakWorkerBytes, machine.peakResidentBytes)
    if let failure { throw failure }
  }

  private func untilTimer() -> Duration {
    guard let due = machine.nextTimer else { return ClusterSession.watchInterval }
    return min(max(.zero, due - .now), ClusterSession.watchInterval)
  }

  private mutating func event(for message: Message) -> CoordinatorMachine.Event {
    let worker = WorkerID(bytes: message.routingID)
    do {
      let decoded = try WireCodec.decodeWorkerMessage(message.frames)
      if case .hello(let hello) = decoded { workersByProcess[Int32(hello.processID)] = worker }
      return .received(decoded, from: worker)
    } catch {
      return .receivedGarbage(from: worker, reason: "\(error)")
    }
  }

  private mutating func watchProcesses(_ store: (TaskID, TaskResult) throws -> Void) throws {
    for departure in launcher.collectDepartures() {
      if let worker = workersByProcess.removeValue(forKey: departure.processID) {
        try handle(.lost(worker, reason: "\(departure.ending)"), store)
      } else {
        log.warning("a worker \(departure.ending) before it joined")
      }
      guard failure == nil, !isCompleted else { continue }
      if try launcher.restart() {
        log.notice("started another worker in its place")
      } else if launcher.runningCount == 0 {
        throw ClusterError.noWorkersLeft(lastEnding: "\(departure.ending)")
      }
    }
  }

  private mutating func handle(
    _ event: CoordinatorMachine.Event, _ store: (TaskID, TaskResult) throws -> Void
  ) throws {
    var events = [event]
    while !events.isEmpty {
      for effect in machine.handle(events.removeFirst(), at: .now) {
        switch effect {
        case .send(let message, let worker): try send(message, to: worker)
        case .store(let task, let result):
          try store(task, result)
          events.append(.stored(task))
        case .completed: isCompleted = true
        case .failed(let failure): self.failure = failure
        case .log(let event):
          log.log(level: event.isWarning ? .warning : .debug, "\(event)")
        }
      }
    }
  }

  private func send(_ message: CoordinatorMessage, to worker: WorkerID) throws {
    // One that cannot be reached is found dead by its lease.
    if try socket.send(WireCodec.encode(message), to: worker.bytes) != .sent {
      log.debug("worker \(worker) cannot be reached")
    }
  }
}
