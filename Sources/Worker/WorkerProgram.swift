internal import Checkpoint
internal import Coordination
internal import FlapCore
internal import Host
internal import Kernels
internal import Launching
public import Logging
internal import SystemPackage
internal import Transport

/// A worker from its start to its end.
public enum WorkerProgram {
  public static let version = SoftwareVersion.current

  /// Most threads, and most lanes.
  public static let threadLimit = Limits.threadCount

  /// - Throws: what is wrong with the arguments of this process, whatever they are for.
  public static func checkArguments() throws { try Host.checkArguments() }

  /// The cores of this machine.
  public static var defaultThreadCount: Int { Host.coreCount }

  /// For how long a worker that its coordinator did not start waits for the next one.
  static let waitLimit = Duration.seconds(600)
  /// For how long it looks for one at a place: the next one may be elsewhere, with keys of its own.
  static let lookLimit = Duration.seconds(10)
  /// Between two looks.
  static let waitPause = Duration.seconds(2)
  /// For how long abandoned work may take to stop: a step is a layer of a leaf.
  static let stepLimit = Duration.seconds(120)

  /// - Throws: ``BindingError`` where there is no such node.
  public static func bind(toMemoryNode number: Int) throws {
    try Host.bind(toMemoryNode: number)
  }

  /// Opens the model, joins the coordinator and works until the run is done. Given up behind a slow
  /// or broken link, it joins again; when the run ends early or its coordinator is silent, it waits
  /// for the next one.
  ///
  /// - Throws: what is wrong with the model or the connection; ``WorkerEnded`` when the run does
  ///   not want this worker, or nobody comes.
  public static func run(_ options: WorkerOptions, log: Logger) throws {
    let checkpoint = try Checkpoint(directory: options.modelFolder)
    try checkpoint.validate()
    let hello = Hello(
      softwareVersion: version, host: Host.name, processID: Host.processID,
      instance: .random(in: .min ... .max), modelDigest: checkpoint.digest,
      kernelFingerprint: KernelFingerprint.all, coreCount: Host.coreCount,
      threadCount: options.threadCount, memoryBytes: Host.memoryBytes,
      modelDirectory: checkpoint.directory.string)
    let wakeUp = try WakeUp()
    let interruption = Interruption { wakeUp.signal() }
    let compute = ComputeThread(wakeUp: wakeUp) { progress in
      TaskRunner(
        checkpoint: checkpoint, laneCount: options.laneCount, threadCount: options.threadCount,
        progress: progress)
    }
    var ticket = try options.ticket.read()
    /// Since when there is no run.
    var waitingSince = Instant.now
    var notice = WaitingNotice(at: .now)
    var pause = Duration.zero
    while true {
      // Another name each time: what was said under the old one does not count.
      var socket = try Socket(
        context: MessagingContext(), kind: .dealer, routingID: WorkerID.random().bytes,
        security: ticket.security)
      try socket.watchConnecting()
      try socket.connect(ticket.endpoint)
      let shell = WorkerShell(
        machine: WorkerMachine(
          hello: hello, joinLimit: min(lookLimit, waitLimit - (.now - waitingSince)), pause: pause),
        checkpoint: checkpoint, socket: socket, compute: compute, wakeUp: wakeUp,
        interruption: interruption, endpoint: ticket.endpoint,
        watchesStandardInput: options.watchesStandardInput, log: log)
      let (ending, hasJoined) = try shell.run(&notice)
      if hasJoined { (waitingSince, notice) = (.now, WaitingNotice(at: .now)) }
      switch ending.kind {
      case .done: return
      case .left:
        // Its unfinished files go with its work.
        _ = compute.becomesIdle(within: .seconds(2))
        throw WorkerEnded(reason: ending.reason, remedy: .onDemand)
      case .refused: throw WorkerEnded(reason: ending.reason, remedy: .none)
      case .givenUp:
        log.warning("given up: \(ending.reason); joining again")
        pause = .zero
      // Whoever started it starts another where one is wanted: nothing stays on a host that is cut off.
      case .endedEarly where options.watchesStandardInput: return
      case .orphaned where options.watchesStandardInput && hasJoined:
        throw WorkerEnded(reason: ending.reason, remedy: .restart)
      case .orphaned, .endedEarly:
        guard .now - waitingSince < waitLimit else {
          throw WorkerEnded(reason: ending.reason, remedy: .restart)
        }
        if hasJoined { log.warning("\(ending.reason): waiting for the next coordinator") }
        pause = waitPause
        if let renewed = try? options.ticket.read() { ticket = renewed }
      }
      guard compute.becomesIdle(within: stepLimit) else {
        throw WorkerEnded(reason: "its computation does not move", remedy: .restart)
      }
    }
  }

  /// Looks whether a worker could run here, and prints what it finds (``PreflightReport``).
  public static func preflight(_ options: WorkerOptions) {
    var digest: Digest?
    var modelError: String?
    do {
      let checkpoint = try Checkpoint(directory: options.modelFolder)
      try checkpoint.validate()
      digest = checkpoint.digest
    } catch {
      modelError = "\(error)"
    }
    let endpointError: String?
    do {
      let place = try options.ticket.read().hostAndPort
      endpointError = Host.failure(
        ofConnectingTo: place.host, port: place.port, within: .seconds(10))
    } catch {
      endpointError = "\(error)"
    }
    let report = PreflightReport(
      softwareVersion: version, protocolVersion: Hello.protocolVersion, host: Host.name,
      coreCount: Host.coreCount, memoryBytes: Host.memoryBytes,
      modelDigest: digest?.hexadecimal, modelError: modelError,
      kernelFingerprint: KernelFingerprint.all,
      endpointReachable: endpointError == nil, endpointError: endpointError,
      memoryNodes: Host.memoryNodes())
    print(report.line)
  }
}

extension WorkerID {
  /// A name that no other worker has: 64 random bits, in hexadecimal.
  static func random() -> WorkerID {
    let digits = String(UInt64.random(in: .min ... .max), radix: 16)
    return WorkerID(bytes: Array("worker-\(digits)".utf8))
  }
}
