internal import Checkpoint
internal import Coordination
internal import FlapCore
internal import Host
internal import Kernels
internal import Launching
public import Logging
internal import Transport

/// A worker from its start to its end.
public enum WorkerProgram {
  public static let version = SoftwareVersion.current

  /// The cores of this machine.
  public static var defaultThreadCount: Int { Host.coreCount }

  /// Opens the model, joins the coordinator and works until it is told to leave. Given up behind
  /// a slow or broken link, it joins again.
  ///
  /// - Throws: what is wrong with the model or the connection; ``WorkerEnded`` when the run does
  ///   not want this worker.
  public static func run(_ options: WorkerOptions, log: Logger) throws {
    let checkpoint = try Checkpoint(directory: options.modelDirectory)
    try checkpoint.validate()
    let hello = Hello(
      softwareVersion: version, host: Host.name, processID: Host.processID,
      modelDigest: checkpoint.digest, kernelFingerprint: KernelFingerprint.current(compute: nil),
      coreCount: Host.coreCount, threadCount: options.threadCount,
      memoryBytes: Host.memoryBytes)
    let wakeUp = try WakeUp()
    let compute = ComputeThread(wakeUp: wakeUp) { progress in
      TaskRunner(
        checkpoint: checkpoint, laneCount: options.laneCount, threadCount: options.threadCount,
        progress: progress)
    }
    while true {
      // Another name each time: what was said under the old one does not count.
      let socket = try Socket(
        context: MessagingContext(), kind: .dealer, routingID: WorkerID.random().bytes,
        security: options.ticket.security)
      try socket.connect(options.ticket.endpoint)
      let shell = WorkerShell(
        hello: hello, socket: socket, compute: compute, wakeUp: wakeUp,
        watchesStandardInput: options.watchesStandardInput, log: log)
      let ending = try shell.run()
      switch ending.kind {
      case .done: return
      case .failure: throw WorkerEnded(reason: ending.reason, isFinal: false)
      case .refused: throw WorkerEnded(reason: ending.reason, isFinal: true)
      case .rejoin:
        log.warning("given up: \(ending.reason); joining again")
        guard compute.becomesIdle(within: .seconds(10)) else {
          throw WorkerEnded(reason: "its computation does not move", isFinal: false)
        }
      }
    }
  }

  /// Looks whether a worker could run here, and prints what it finds (``PreflightReport``).
  public static func preflight(_ options: WorkerOptions) {
    var digest: Digest?
    var modelError: String?
    do {
      let checkpoint = try Checkpoint(directory: options.modelDirectory)
      try checkpoint.validate()
      digest = checkpoint.digest
    } catch {
      modelError = "\(error)"
    }
    let place = options.ticket.hostAndPort
    let endpointError = Host.failure(
      ofConnectingTo: place.host, port: place.port, within: .seconds(10))
    let report = PreflightReport(
      softwareVersion: version, protocolVersion: Hello.protocolVersion, host: Host.name,
      coreCount: Host.coreCount, memoryBytes: Host.memoryBytes,
      modelDigest: digest?.hexadecimal, modelError: modelError,
      kernelFingerprint: KernelFingerprint.current(compute: nil),
      endpointReachable: endpointError == nil, endpointError: endpointError)
    print(report.line)
  }
}

/// The coordinator or its silence ended this worker.
public struct WorkerEnded: Error, Hashable, Sendable, CustomStringConvertible {
  public let reason: String
  /// Whether it would be refused again.
  public let isFinal: Bool

  public var description: String { "worker ends: \(reason)" }
}

extension WorkerID {
  /// A name that no other worker has: 64 random bits, in hexadecimal.
  static func random() -> WorkerID {
    let digits = String(UInt64.random(in: .min ... .max), radix: 16)
    return WorkerID(bytes: Array("worker-\(digits)".utf8))
  }
}
