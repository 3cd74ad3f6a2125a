public import FlapCore

/// What the coordinator tells a worker.
public enum CoordinatorMessage: Hashable, Sendable {
  /// The answer to `hello`: the worker belongs to the run now.
  case welcome(Welcome)
  /// The worker does not belong to the run, or no longer: it stops what it does.
  case reject(Rejection)
  /// The answer to a heartbeat: the lease runs from now again.
  case leaseRenewed
  case assign(Assignment)
  /// The worker may send this many more chunks of the attempt's result.
  case credit(TaskAttempt, chunks: Int)
  /// The result of the attempt's task is safe with the coordinator; the worker may forget it.
  case reportAcknowledged(TaskAttempt)
  /// The attempt is not wanted any more.
  case cancel(TaskAttempt)
  /// What to keep of every layer; sent before the first task that refers to it is assigned.
  case plan(PlanBroadcast)
  /// Finish and deliver the work at hand, then leave.
  case drain
  /// The run has ended: leave at once.
  case shutdown(RunEnd)
}

/// How a run came to its end, for those who worked in it.
public enum RunEnd: Hashable, Sendable {
  /// All is done: nobody is needed any more.
  case complete
  /// It was interrupted or failed: it may go on under a later coordinator.
  case early
}

/// The terms of a run, the same for each of its workers.
public struct Welcome: Hashable, Sendable {
  public var runID: String
  public var compute: ComputeType
  /// Largest leaf that the run assigns, and most leaves that are to go through the model together: the
  /// worker allocates its scratch from them.
  public var tokensPerSample: Int
  public var samplesPerLeaf: Int
  public var leavesPerUnit: Int
  /// How often the worker sends a heartbeat.
  public var heartbeatInterval: Duration
  /// A worker that hears nothing from the coordinator for this long ends.
  public var lease: Duration
  /// The secret key by which the run's workers know each other, 32 bytes; empty: of a run without
  /// encryption.
  public var peerSecret: [UInt8]

  public init(
    runID: String, compute: ComputeType, tokensPerSample: Int, samplesPerLeaf: Int,
    leavesPerUnit: Int, heartbeatInterval: Duration, lease: Duration, peerSecret: [UInt8] = []
  ) {
    self.peerSecret = peerSecret
    self.runID = runID
    self.compute = compute
    self.tokensPerSample = tokensPerSample
    self.samplesPerLeaf = samplesPerLeaf
    self.leavesPerUnit = leavesPerUnit
    self.heartbeatInterval = heartbeatInterval
    self.lease = lease
  }
}

public struct Rejection: Hashable, Sendable {
  /// One line: what is wrong and what to do.
  public var reason: String
  /// Whether joining again would be refused as well. A worker that was merely given up, behind a
  /// slow or broken link, may join again under another name.
  public var isFinal: Bool

  public init(reason: String, isFinal: Bool) {
    self.reason = reason
    self.isFinal = isFinal
  }
}

public struct Assignment: Hashable, Sendable {
  public var attempt: TaskAttempt
  public var work: Work
  /// Larger than that of every earlier assignment of the run, so that a worker tells a late copy
  /// of an old one from a new one.
  public var serial: UInt64

  public init(attempt: TaskAttempt, work: Work, serial: UInt64) {
    self.attempt = attempt
    self.work = work
    self.serial = serial
  }
}

public struct PlanBroadcast: Hashable, Sendable {
  /// Where the workers put the shards; nil: nowhere, they send them to the coordinator.
  public var outputDirectory: String?
  /// Largest shard to write.
  public var maximumShardBytes: Int
  /// Whether every layer keeps the same counts, so that a class of transformers itself loads what is
  /// left.
  public var isUniform: Bool
  /// The folder of second moments from which the workers fit the maps anew, where they see it; nil:
  /// weights stay as they are.
  public var secondMoments: String?
  /// The folder with sums of a pruned model's own inputs, from which the maps are fitted of which it
  /// has them; nil: there is none.
  public var targetMoments: String?
  /// SHA-256 of `payload`.
  public var digest: Digest
  /// Masks and baseline means of every layer, as `Wire` encodes them.
  public var payload: [UInt8]

  public init(
    outputDirectory: String?, maximumShardBytes: Int, isUniform: Bool = false,
    secondMoments: String? = nil, targetMoments: String? = nil, digest: Digest, payload: [UInt8]
  ) {
    self.outputDirectory = outputDirectory
    self.maximumShardBytes = maximumShardBytes
    self.isUniform = isUniform
    self.secondMoments = secondMoments
    self.targetMoments = targetMoments
    self.digest = digest
    self.payload = payload
  }
}
