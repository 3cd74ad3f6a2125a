public import Coordination
import FlapCore
import Statistics

/// A coordinator, its ledger and its workers, the real machines, over a simulated network, clock,
/// disk and computation. A seed decides every delay and fault; the same seed gives the same run.
public struct VirtualCluster {
  /// What is to be computed, and by how many.
  public struct Job: Sendable {
    public var leafCount = 1
    public var unitLevel = 0
    public var layerCount = 1
    /// Whether the kinds of statistics are asked for in one task for each unit, or each in its own.
    public var asksTogether = true
    public var shardCount = 0
    public var workerCount = 1
    public var hostCount = 1
    /// Whether shards are sent to the coordinator.
    public var gathers = false
    /// Whether there are sums of the model as it is.
    public var sumsDense = true
    /// The step of the first map of which there are sums of what a plan leaves before it.
    public var firstPrunedStep = 0
    /// Whether sums are put into a folder that all see; else they stay with the workers.
    public var sharesSums = false

    public init() {}
  }

  /// What may go wrong: faults of nodes and disks per second, faults of messages per message.
  public struct Faults: Sendable {
    public var kill = 0.0
    public var pause = 0.0
    public var hang = 0.0
    public var partition = 0.0
    /// A switch: all workers at once.
    public var partitionAll = 0.0
    /// A worker is asked to leave.
    public var preempt = 0.0
    /// The coordinator's process stands still.
    public var stall = 0.0
    public var crashCoordinator = 0.0
    public var fillDisk = 0.0
    public var failTask = 0.0
    public var drop = 0.0
    public var duplicate = 0.0
    public var reorder = 0.0
    public var truncate = 0.0
    public var corrupt = 0.0
    /// A sum cannot be fetched, or comes with other bytes; per sum.
    public var losePeer = 0.0
    public var garbleSum = 0.0
    /// The share of workers that cannot be asked for sums.
    public var deaf = 0.0
    /// The share of workers whose copy of the model has a damaged tensor.
    public var damagedModel = 0.0

    public init() {}
  }

  /// Mistakes that the simulation must find.
  public enum PlantedBug: Sendable {
    case mergesTwice
    case mergesBeforeDigest
    case acknowledgesBeforeDisk
    case blamesForOwnStall
    case storesBeforeVerifying
    /// A map that was stored is gone after a restart.
    case losesMaps
    /// Shards are written though the last map is missing.
    case skipsMap
    /// Sums are added up before the last unit's are there.
    case mergesEarly
    /// Sums that are lost are left out, not summed again.
    case leavesLostOut
    /// What a unit gave in the round before is taken for this one's.
    case takesOlderSums
    /// What another worker gives is added whatever its digest.
    case addsGarbage
    /// The file of a map is gone after a restart.
    case losesFiles
  }

  /// Something that was acknowledged.
  enum Promise: Hashable {
    case samples(StatisticKind, TreeNode)
    case weights(layer: Int)
    case map(TapPlace)
    case merged(path: String)
    case shard(index: Int)
  }

  enum Event {
    case toCoordinator(WorkerMessage?, from: WorkerID, epoch: Int)
    case toWorker(CoordinatorMessage?, WorkerID)
    case workerTimer(WorkerID)
    case coordinatorTimer(epoch: Int)
    case computed(WorkerID, TaskAttempt)
    case store(TaskAttempt, TaskResult, ModelClaim, epoch: Int)
    case verify(TaskFailure, ModelClaim, epoch: Int)
    case startWorker(after: (host: String, instance: UInt64)?)
    case startCoordinator
    case emptyDisk
    case fault
  }

  let job: Job
  public let settings: CoordinatorSettings
  var faults: Faults
  let bug: PlantedBug?
  public internal(set) var now = Instant(nanoseconds: 0)
  var queue = EventQueue<Event>()
  var generator: SeededGenerator
  var disk = VirtualDisk()

  // The coordinator, nil while it is down.
  var coordinator: VirtualCoordinator?
  var epoch = 0
  /// Shards as they lie in the output folder.
  var shards: [Int: [UInt8]] = [:]
  /// Beside them: those that workers have written.
  var waitingShards: [TaskAttempt: [UInt8]] = [:]
  /// The files of maps, for good.
  var files: [String: [UInt8]] = [:]
  /// Sums in a folder that all see. Nobody clears it: what lies there is what its digest says, or lost.
  var passing: [String: [UInt8]] = [:]

  var workers: [WorkerID: VirtualWorker] = [:]
  /// In the order of their start, so that choices among them are reproducible.
  var workerOrder: [WorkerID] = []
  var nextWorker = 0
  /// Their processes, by instance.
  var peers: [UInt64: VirtualPeer] = [:]

  /// What acknowledgements promised: never to be lost or computed again.
  var acknowledged: Set<Promise> = []
  /// Computed from a damaged tensor: none of them may count.
  var damagedResults: Set<TaskAttempt> = []
  public internal(set) var violations: [String] = []
  public internal(set) var isFinished = false
  public internal(set) var computedCount = 0
  public internal(set) var faultCount = 0
  /// Sums that were not where they should have been.
  public internal(set) var lostSumCount = 0
  public internal(set) var log: [LogEvent] = []

  public init(
    _ job: Job, seed: UInt64, faults: Faults = Faults(), bug: PlantedBug? = nil,
    settings: CoordinatorSettings = VirtualCluster.settings
  ) {
    self.job = job
    self.settings = settings
    self.faults = faults
    self.bug = bug
    generator = SeededGenerator(seed: seed)
    disk.forgetsToRemove = bug == .mergesTwice
    disk.losesMaps = bug == .losesMaps
    disk.writesLate = bug == .acknowledgesBeforeDisk
    startCoordinator()
    for _ in 0..<job.workerCount { queue.add(.startWorker(after: nil), at: now) }
    queue.add(.fault, at: now + .seconds(1))
  }

  /// Safety first: runs under faults for a while. Then liveness: the faults stop and the run must
  /// come to its end.
  public mutating func run(faultyFor faulty: Duration, limit: Duration) {
    while !isFinished, violations.isEmpty, let (time, event) = queue.next() {
      now = time
      if now - Instant(nanoseconds: 0) > faulty { faults = Faults() }
      if now - Instant(nanoseconds: 0) > limit { return violations.append("the run does not end") }
      handle(event)
    }
  }

  private mutating func handle(_ event: Event) {
    switch event {
    case .toCoordinator(let message, let id, let epoch):
      guard epoch == self.epoch, reaches(event) else { return }
      if let message {
        tell(.received(message, from: id))
      } else {
        tell(.receivedGarbage(from: id, reason: "planted"))
      }
    case .toWorker(let message, let id): deliver(message, to: id)
    case .workerTimer(let id): fireTimer(of: id)
    case .coordinatorTimer(let epoch):
      guard epoch == self.epoch, coordinator != nil, reaches(event) else { return }
      coordinator!.timer = nil
      tell(.timer)
    case .computed(let id, let attempt): finish(attempt, by: id)
    case .store(let attempt, let result, let claim, let epoch):
      if epoch == self.epoch, coordinator != nil, reaches(event) { store(attempt, result, claim) }
    case .verify(let failure, let claim, let epoch):
      if epoch == self.epoch, coordinator != nil, reaches(event) { verify(failure, claim) }
    case .startWorker(let earlier): startWorker(after: earlier)
    case .startCoordinator: startCoordinator()
    case .emptyDisk: disk.isFull = false
    case .fault:
      injectFaults()
      queue.add(.fault, at: now + .seconds(1))
    }
  }

  // MARK: Faults

  private mutating func injectFaults() {
    if coordinator != nil, generator.chance(faults.crashCoordinator) {
      faultCount += 1
      if generator.chance(0.5) {
        crashCoordinator()
      } else {
        disk.operationsUntilPowerCut = Int.random(in: 0...12, using: &generator)
      }
    }
    if !disk.isFull, generator.chance(faults.fillDisk) {
      faultCount += 1
      disk.isFull = true
      queue.add(.emptyDisk, at: now + .seconds(Int.random(in: 1...20, using: &generator)))
    }
    if let running = coordinator, running.stall == nil, generator.chance(faults.stall) {
      faultCount += 1
      let ends = now + .seconds(Int.random(in: 1...60, using: &generator))
      let delay = Duration.milliseconds(Int.random(in: 0...5000, using: &generator))
      coordinator!.stall = VirtualStall(began: now, ends: ends, messagesCome: ends + delay)
    }
    if workerOrder.count > 1, generator.chance(faults.partitionAll) {
      faultCount += 1
      let until = now + .seconds(Int.random(in: 1...60, using: &generator))
      for id in workerOrder { workers[id]!.partitionedUntil = until }
    }
    guard let id = workerOrder.randomElement(using: &generator) else { return }
    if generator.chance(faults.kill) {
      faultCount += 1
      peers[workers[id]!.instance] = nil
      forget(id)
      if generator.chance(0.5), coordinator?.stall == nil { tell(.lost(id, reason: "killed")) }
      queue.add(
        .startWorker(after: nil), at: now + .seconds(Int.random(in: 0...20, using: &generator)))
    } else if generator.chance(faults.preempt) {
      faultCount += 1
      askToLeave(id)
    } else if generator.chance(faults.pause) {
      faultCount += 1
      workers[id]!.pausedUntil = now + .seconds(Int.random(in: 1...60, using: &generator))
    } else if generator.chance(faults.hang) {
      faultCount += 1
      workers[id]!.hungUntil = now + .seconds(Int.random(in: 1...200, using: &generator))
    } else if generator.chance(faults.partition) {
      faultCount += 1
      workers[id]!.partitionedUntil = now + .seconds(Int.random(in: 1...60, using: &generator))
    }
  }
}
