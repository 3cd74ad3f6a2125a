public import Coordination
import FlapCore
import Statistics

/// The coordinator's machine with what its shell keeps.
struct VirtualCoordinator {
  var machine: CoordinatorMachine
  var ledger: RunLedger
  var inbox: [TaskAttempt: [UInt8]] = [:]
  var tasks: [TaskID: Work] = [:]
  /// When its timer event is due.
  var timer: Instant?
  var isWritingShards = false
}

extension VirtualCluster {
  public static let settings: CoordinatorSettings = {
    var settings = CoordinatorSettings(
      welcome: Welcome(
        runID: "run", compute: .float32, tokensPerSample: 4, samplesPerLeaf: 2, leavesPerBlock: 1,
        heartbeatInterval: .seconds(1), lease: .seconds(30)),
      modelDigest: VirtualWork.digest(of: [1]), maximumReportBytes: 1000)
    // The limits end a run on purpose; here the question is what the run does until then.
    settings.attemptLimit = .max
    settings.lostWorkerLimit = .max
    settings.failedTasksPerHost = .max
    settings.joinLimit = .seconds(1_000_000)
    settings.chunkBytes = 16
    settings.creditsPerReport = 3
    settings.receiveBudgetBytes = 120
    return settings
  }()

  // MARK: Life and death

  /// Starts the coordinator from what the disk has.
  mutating func startCoordinator() {
    epoch += 1
    disk.restart()
    let digest: ([UInt8]) -> Digest =
      bug == .mergesBeforeDigest
      ? { _ in VirtualWork.digest(of: []) } : { VirtualWork.digest(of: $0) }
    do {
      let ledger = try RunLedger(
        storage: disk, records: Array(disk.records.values),
        tree: CanonicalTree(leafCount: job.leafCount),
        merge: { VirtualWork.merge($0, $1) }, digest: digest)
      coordinator = VirtualCoordinator(
        machine: CoordinatorMachine(settings: VirtualCluster.settings), ledger: ledger)
    } catch {
      return violations.append("\(error)")
    }
    for key in acknowledged where !isKept(key) { violations.append("\(key) was lost") }
    submitMissing()
  }

  mutating func crashCoordinator() {
    guard coordinator != nil else { return }
    coordinator = nil
    epoch += 1
    queue.add(.startCoordinator, at: now + .seconds(Int.random(in: 1...10, using: &generator)))
  }

  private func isKept(_ key: LedgerKey) -> Bool {
    guard case .node(let node) = key else { return coordinator!.ledger.record(of: key) != nil }
    let tree = CanonicalTree(leafCount: job.leafCount)
    let missing = coordinator!.ledger.missingNodes.map { tree.leaves(of: $0) }
    return !missing.contains { $0.overlaps(tree.leaves(of: node)) }
  }

  // MARK: Phases

  private mutating func submitMissing() {
    let ledger = coordinator!.ledger
    let tree = CanonicalTree(leafCount: job.leafCount)
    var work: [Work] = []
    if !coordinator!.isWritingShards {
      let blocks = ledger.missingNodes.flatMap { node in
        tree.nodes(in: node, upToLevel: job.blockLevel)
      }
      work = blocks.map { VirtualWork.block($0, leafCount: job.leafCount) }
      work += (0..<job.layerCount).filter { ledger.record(of: .norms(layer: $0)) == nil }
        .map { .measureWeights(layer: $0) }
    }
    if work.isEmpty {
      coordinator!.isWritingShards = true
      tell(.plan(plan))
      work = (0..<job.shardCount).filter { ledger.record(of: .shard(index: $0)) == nil }
        .map { .writeShard(index: $0) }
    }
    for item in work where isAcknowledged(item) { violations.append("\(item.name) is done again") }
    let base = UInt64(epoch) << 32 + UInt64(coordinator!.tasks.count)
    let tasks = work.enumerated().map {
      CoordinatorMachine.Task(id: TaskID(base + UInt64($0.offset)), work: $0.element)
    }
    for task in tasks { coordinator!.tasks[task.id] = task.work }
    tell(.submit(tasks))
  }

  private var plan: PlanBroadcast {
    PlanBroadcast(
      outputDirectory: job.gathers ? nil : "out", maximumShardBytes: 1, compensates: false,
      digest: VirtualWork.digest(of: [1]), payload: [1])
  }

  private func isAcknowledged(_ work: Work) -> Bool {
    switch work {
    case .calibrate(let block), .evaluate(let block, _):
      let tree = CanonicalTree(leafCount: job.leafCount)
      return acknowledged.contains { key in
        guard case .node(let node) = key else { return false }
        return tree.leaves(of: node).overlaps(tree.leaves(of: block.node))
      }
    case .measureWeights(let layer): return acknowledged.contains(.norms(layer: layer))
    case .writeShard(let index): return acknowledged.contains(.shard(index: index))
    }
  }

  private mutating func completePhase() {
    guard coordinator!.isWritingShards else { return submitMissing() }
    isFinished = true
    disk.operationsUntilPowerCut = nil
    do {
      var ledger = coordinator!.ledger
      let root = try ledger.rootValue()
      if root != VirtualWork.rootValue(leafCount: job.leafCount) {
        violations.append("the root has other bits")
      }
      for layer in 0..<job.layerCount
      where try ledger.norms(layer: layer) != VirtualWork.result(of: .measureWeights(layer: layer))
      {
        violations.append("the norms of layer \(layer) have other bits")
      }
    } catch {
      violations.append("\(error)")
    }
    for index in 0..<job.shardCount
    where shards[index] != VirtualWork.result(of: .writeShard(index: index)) {
      violations.append("shard \(index) has other bits")
    }
  }

  // MARK: Events and effects

  mutating func tell(_ event: CoordinatorMachine.Event) {
    guard coordinator != nil else { return }
    for effect in coordinator!.machine.handle(event, at: now) {
      switch effect {
      case .send(let message, let id): send(message, to: id)
      case .append(let attempt, let bytes): coordinator!.inbox[attempt, default: []] += bytes
      case .discard(let attempt): coordinator!.inbox[attempt] = nil
      case .store(let attempt, let result):
        let delay = Duration.milliseconds(Int.random(in: 0...300, using: &generator))
        queue.add(.store(attempt, result, epoch: epoch), at: now + delay)
      case .removed: break
      case .completed: completePhase()
      case .drained: violations.append("nobody asked to drain")
      case .failed(let failure): violations.append("failed: \(failure)")
      case .log(let event): log.append(event)
      }
      guard coordinator != nil, !isFinished else { return }
    }
    violations += coordinator!.machine.violations()
    guard let due = coordinator!.machine.nextTimer else { return }
    if coordinator!.timer.map({ due < $0 }) ?? true {
      coordinator!.timer = due
      queue.add(.coordinatorTimer(epoch: epoch), at: max(due, now))
    }
  }

  mutating func store(_ attempt: TaskAttempt, _ result: TaskResult) {
    let work = coordinator!.tasks[attempt.task]!
    do {
      let key = work.key
      switch result {
      case .written(let shard):
        guard case .writeShard(let index) = work else { return violations.append("odd result") }
        try coordinator!.ledger.keep(
          shard: index, fileName: shard.fileName, byteCount: shard.byteCount, digest: shard.digest)
      case .received(_, let digest):
        let bytes = coordinator!.inbox.removeValue(forKey: attempt) ?? []
        if case .writeShard(let index) = work {
          guard VirtualWork.digest(of: bytes) == digest else { return tell(.damaged(attempt)) }
          shards[index] = bytes
          try coordinator!.ledger.keep(
            shard: index, fileName: "\(index)", byteCount: bytes.count, digest: digest)
        } else {
          let expected = bug == .mergesBeforeDigest ? VirtualWork.digest(of: []) : digest
          guard try coordinator!.ledger.keep(bytes, expecting: expected, of: work) else {
            return tell(.damaged(attempt))
          }
        }
      }
      acknowledged.insert(key)
      tell(.stored(attempt))
    } catch is VirtualDisk.PowerCut {
      crashCoordinator()
    } catch is VirtualDisk.Full {
      // The run ends with an error and is resumed when there is space.
      crashCoordinator()
    } catch {
      violations.append("\(error)")
    }
  }
}

extension Work {
  fileprivate var key: LedgerKey {
    switch self {
    case .calibrate(let block), .evaluate(let block, _): .node(block.node)
    case .measureWeights(let layer): .norms(layer: layer)
    case .writeShard(let index): .shard(index: index)
    }
  }
}
