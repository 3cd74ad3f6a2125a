public import FlapCore

/// What a worker tells the coordinator.
public enum WorkerMessage: Hashable, Sendable {
  /// The first message: who the worker is and what it holds.
  case hello(Hello)
  /// "I am alive", and how far the work is. Sent from a thread that never computes.
  case heartbeat(Heartbeat)
  /// The assignment arrived and work has begun.
  case accepted(TaskAttempt)
  /// A result is ready to be sent in chunks, once the coordinator grants credit.
  case reportBegin(ReportBegin)
  /// The next chunk of the result; chunks come in order.
  case reportChunk(ReportChunk)
  /// All chunks were sent.
  case reportEnd(TaskAttempt)
  /// A shard stands, complete and synced, under its final name.
  case shardCommitted(ShardCommitted)
  case taskFailed(TaskFailure)
  /// The worker leaves on its own accord.
  case bye(reason: String)
}

public struct Hello: Hashable, Sendable {
  /// The version of the messages; both sides must have the same.
  public static let protocolVersion = 7

  public var protocolVersion: Int
  /// The version of the program, for messages to people.
  public var softwareVersion: String
  public var host: String
  public var processID: Int
  /// A random number of the process, the same whenever it joins: who comes again under another
  /// name has left the earlier one behind.
  public var instance: UInt64
  /// Identity of the model's configuration and weights, whatever path they lie at.
  public var modelDigest: Digest
  /// What decides the bits of the products: `CPU level/engine/type` for each type, with spaces
  /// between.
  public var kernelFingerprint: String
  public var coreCount: Int
  public var threadCount: Int
  /// Physical memory of the host.
  public var memoryBytes: Int
  /// Where its copy of the model lies, for messages to people.
  public var modelDirectory: String

  public init(
    protocolVersion: Int = Hello.protocolVersion, softwareVersion: String, host: String,
    processID: Int, instance: UInt64, modelDigest: Digest, kernelFingerprint: String,
    coreCount: Int, threadCount: Int, memoryBytes: Int, modelDirectory: String = ""
  ) {
    self.protocolVersion = protocolVersion
    self.softwareVersion = softwareVersion
    self.host = host
    self.processID = processID
    self.instance = instance
    self.modelDigest = modelDigest
    self.kernelFingerprint = kernelFingerprint
    self.coreCount = coreCount
    self.threadCount = threadCount
    self.memoryBytes = memoryBytes
    self.modelDirectory = modelDirectory
  }
}

extension Hello {
  /// The kernels that compute in a type.
  func kernels(_ compute: ComputeType) -> String {
    kernelFingerprint.split(separator: " ").first { $0.hasSuffix("/\(compute.rawValue)") }
      .map(String.init) ?? kernelFingerprint
  }
}

public struct Heartbeat: Hashable, Sendable {
  /// The attempt at work, or nil when idle.
  public var attempt: TaskAttempt?
  /// Steps of it done (a step is a layer of a leaf, a tensor of a shard), for progress and to
  /// tell a slow worker from a hung one.
  public var completedSteps: Int
  public var totalSteps: Int
  /// Anonymous resident memory of the process now, and the most it was seen to be.
  public var residentBytes: Int
  public var peakResidentBytes: Int

  public init(
    attempt: TaskAttempt?, completedSteps: Int, totalSteps: Int, residentBytes: Int,
    peakResidentBytes: Int
  ) {
    self.attempt = attempt
    self.completedSteps = completedSteps
    self.totalSteps = totalSteps
    self.residentBytes = residentBytes
    self.peakResidentBytes = peakResidentBytes
  }
}

public struct ReportBegin: Hashable, Sendable {
  public var attempt: TaskAttempt
  /// Bytes of the whole result.
  public var byteCount: Int
  /// SHA-256 of the whole result.
  public var digest: Digest
  /// Where the sums can be asked for that the worker reports to hold; empty: nowhere.
  public var endpoint: String
  /// See ``ModelClaim``.
  public var checksums: [TensorChecksum]

  public init(
    attempt: TaskAttempt, byteCount: Int, digest: Digest, endpoint: String = "",
    checksums: [TensorChecksum] = []
  ) {
    self.checksums = checksums
    self.attempt = attempt
    self.byteCount = byteCount
    self.digest = digest
    self.endpoint = endpoint
  }
}

public struct ReportChunk: Hashable, Sendable {
  public var attempt: TaskAttempt
  /// Position of the chunk's first byte in the result.
  public var offset: Int
  /// 1…`Limits.chunkBytes` bytes.
  public var bytes: [UInt8]

  public init(attempt: TaskAttempt, offset: Int, bytes: [UInt8]) {
    self.attempt = attempt
    self.offset = offset
    self.bytes = bytes
  }
}

public struct ShardCommitted: Hashable, Sendable {
  public var attempt: TaskAttempt
  public var fileName: String
  public var byteCount: Int
  public var digest: Digest
  /// See ``ModelClaim``.
  public var checksums: [TensorChecksum]

  public init(
    attempt: TaskAttempt, fileName: String, byteCount: Int, digest: Digest,
    checksums: [TensorChecksum] = []
  ) {
    self.checksums = checksums
    self.attempt = attempt
    self.fileName = fileName
    self.byteCount = byteCount
    self.digest = digest
  }
}

public struct TaskFailure: Hashable, Sendable {
  public enum Class: Int, Hashable, Sendable, CaseIterable {
    /// Another try, perhaps on another host, may succeed.
    case transient = 1
    /// The input decides it: every worker would fail alike, so the run ends.
    case permanent = 2
  }

  public var attempt: TaskAttempt
  public var failureClass: Class
  /// One line: what is wrong, where, what to do.
  public var reason: String
  /// See ``ModelClaim``.
  public var checksums: [TensorChecksum]

  public init(
    attempt: TaskAttempt, failureClass: Class, reason: String, checksums: [TensorChecksum] = []
  ) {
    self.checksums = checksums
    self.attempt = attempt
    self.failureClass = failureClass
    self.reason = reason
  }
}
