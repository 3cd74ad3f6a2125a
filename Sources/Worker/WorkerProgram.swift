internal import Checkpoint
internal import Coordination
internal import FlapCore
internal import Host
internal import Kernels
public import Logging
internal import Transport

/// A worker from its start to its end.
public enum WorkerProgram {
  public static let version = SoftwareVersion.current

  /// Opens the model, joins the coordinator and works until it is told to leave.
  ///
  /// - Throws: what is wrong with the model or the connection; ``WorkerEnded`` when the run gave
  ///   this worker up.
  public static func run(_ options: WorkerOptions, log: Logger) throws {
    let checkpoint = try Checkpoint(directory: options.modelDirectory)
    try checkpoint.validate()
    let identity = WorkerID.random()
    let hello = Hello(
      softwareVersion: version, host: Host.name, processID: Host.processID,
      modelDigest: checkpoint.digest, kernelFingerprint: KernelFingerprint.current(compute: nil),
      coreCount: Host.coreCount, threadCount: options.threadCount,
      memoryBytes: Host.memoryBytes)
    let socket = try Socket(
      context: MessagingContext(), kind: .dealer, routingID: identity.bytes)
    try socket.connect(options.endpoint)
    let wakeUp = try WakeUp()
    let compute = ComputeThread(wakeUp: wakeUp) { progress in
      TaskRunner(checkpoint: checkpoint, threadCount: options.threadCount, progress: progress)
    }
    let shell = WorkerShell(
      hello: hello, socket: socket, compute: compute, wakeUp: wakeUp,
      watchesStandardInput: options.watchesStandardInput, log: log)
    let ending = try shell.run()
    if ending.isFailure { throw WorkerEnded(reason: ending.reason) }
  }
}

/// The coordinator or its silence ended this worker.
public struct WorkerEnded: Error, Hashable, Sendable, CustomStringConvertible {
  public let reason: String

  public var description: String { "worker ends: \(reason)" }
}

extension WorkerID {
  /// A name that no other worker has: 64 random bits, in hexadecimal.
  static func random() -> WorkerID {
    let digits = String(UInt64.random(in: .min ... .max), radix: 16)
    return WorkerID(bytes: Array("worker-\(digits)".utf8))
  }
}
