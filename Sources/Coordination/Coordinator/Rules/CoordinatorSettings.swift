public import FlapCore

/// The numbers by which a coordinator judges its workers.
public struct CoordinatorSettings: Sendable {
  /// What every worker is told when it joins.
  public var welcome: Welcome
  /// Identity of the model; a worker that holds another is refused.
  public var modelDigest: Digest
  /// A worker that is silent for this long is dead.
  public var deadAfter: Duration = .seconds(10)
  /// A worker whose work does not move for this long is hung, however well it beats; where a step
  /// usually takes long, `hungFactor` usual steps.
  public var hungAfter: Duration = .seconds(25)
  public var hungFactor = 5
  /// The same for work of which no step was seen yet, in multiples of `hungAfter`: the weights
  /// may have to come from a slow disk.
  public var coldStartFactor = 4
  /// A run that has work and no worker for this long ends.
  public var joinLimit: Duration = .seconds(600)
  /// A task is tried this often.
  public var attemptLimit = 4
  /// A task in whose hands this many workers died or hung ends the run.
  public var lostWorkerLimit = 3
  /// A host where this many different tasks failed for each of its workers is left out, if there
  /// are others.
  public var failedTasksPerHost = 2
  /// For how long a failure is held against its host.
  public var exclusionSpan: Duration = .seconds(600)
  /// Losses on several hosts within this time have one cause, which is none of them.
  public var jointLossWindow: Duration = .seconds(5)
  /// When at most one in this many tasks of a phase is unfinished, what takes `stragglerFactor`
  /// times as long as its like is tried by an idle worker too.
  public var phaseEndDivisor = 10
  public var stragglerFactor = 3
  /// An assignment is given up after so many heartbeats of a worker that knows nothing of it.
  public var idleBeatLimit = 4
  /// The chunks in which workers send their results.
  public var chunkBytes = Limits.chunkBytes
  /// Chunks of one report that may be in flight.
  public var creditsPerReport = 8
  /// Bytes of all reports that may be in flight or in memory.
  public var receiveBudgetBytes = 256 << 20
  /// Largest report that a task of this run can have, and largest shard.
  public var maximumReportBytes: Int
  public var maximumShardBytes = Int.max
  /// Kernels that computed the results of the run's earlier parts, the first ones first.
  public var earlierKernels: [String] = []
  /// Results or kernels that differ between workers end the run, where otherwise they are only
  /// told.
  public var isStrict = false

  public init(welcome: Welcome, modelDigest: Digest, maximumReportBytes: Int) {
    self.welcome = welcome
    self.modelDigest = modelDigest
    self.maximumReportBytes = maximumReportBytes
  }

  func maximumResultBytes(_ kind: Work.Kind) -> Int {
    kind == .writeShard ? maximumShardBytes : maximumReportBytes
  }
}
