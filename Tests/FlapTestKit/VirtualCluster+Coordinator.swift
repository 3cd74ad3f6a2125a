public import Coordination
import FlapCore
import Statistics

/// A time in which the coordinator's process stands still, as a suspended machine does.
struct VirtualStall {
  let began: Instant
  let ends: Instant
  /// When the network has sent again what was said meanwhile.
  let messagesCome: Instant
  /// The coordinator goes on, though messages are still to come.
  var isOver = false
}

/// The coordinator's machine with what its shell keeps.
struct VirtualCoordinator {
  var machine: CoordinatorMachine
  var ledger: RunLedger
  var inbox: [TaskAttempt: [UInt8]] = [:]
  var tasks: [TaskID: Work] = [:]
  /// When its timer event is due.
  var timer: Instant?
  var stall: VirtualStall?
  var isWritingShards = false
  /// Numbers of the questions that are answered: they are kept in memory.
  var answered: Set<Int> = []
  /// Of the model as it is, and map by map of what a plan leaves of it.
  var dense: VirtualSumRounds
  var targets: VirtualSumRounds
}

extension VirtualCluster {
  public static let settings: CoordinatorSettings = {
    var settings = CoordinatorSettings(
      welcome: Welcome(
        runID: "run", compute: .float32, tokensPerSample: 4, samplesPerLeaf: 2, leavesPerUnit: 1,
        heartbeatInterval: .seconds(1), lease: .seconds(30)),
      modelDigest: VirtualWork.digest(of: [1]), maximumReportBytes: 10_000)
    // The limits end a run on purpose; here the question is what the run does until then. Hosts are
    // judged as ever.
    settings.attemptLimit = .max
    settings.lostWorkerLimit = .max
    settings.joinLimit = .seconds(1_000_000)
    settings.chunkBytes = 100
    settings.creditsPerReport = 3
    settings.receiveBudgetBytes = 700
    return settings
  }()

  // MARK: Life and death

  /// Starts the coordinator from what the disk has.
  mutating func startCoordinator() {
    epoch += 1
    disk.restart()
    let isCareless = bug == .mergesBeforeDigest
    let digest: @Sendable ([UInt8]) -> Digest = { VirtualWork.digest(of: isCareless ? [] : $0) }
    do {
      let ledger = try RunLedger(
        storage: disk, records: Array(disk.records.values),
        tree: CanonicalTree(leafCount: job.leafCount),
        shape: VirtualWork.shape(layerCount: job.layerCount), catalog: VirtualWork.catalog,
        digest: digest)
      if bug == .losesFiles { files = [:] }
      var settings = settings
      settings.welcome.runID += " \(epoch)"
      coordinator = VirtualCoordinator(
        machine: CoordinatorMachine(settings: settings), ledger: ledger,
        dense: sumRounds(ofDense: true), targets: sumRounds(ofDense: false))
    } catch {
      return violations.append("\(error)")
    }
    for promise in acknowledged where !isKept(promise) {
      violations.append("\(promise) was lost")
    }
    submitMissing()
  }

  mutating func crashCoordinator() {
    guard coordinator != nil else { return }
    coordinator = nil
    epoch += 1
    queue.add(.startCoordinator, at: now + .seconds(Int.random(in: 1...10, using: &generator)))
  }

  private func isKept(_ promise: Promise) -> Bool {
    let ledger = coordinator!.ledger
    switch promise {
    case .samples(let kind, let node):
      let tree = CanonicalTree(leafCount: job.leafCount)
      let missing = ledger.missingNodes(of: kind).map { tree.leaves(of: $0) }
      return !missing.contains { $0.overlaps(tree.leaves(of: node)) }
    case .weights(let layer): return ledger.has(VirtualWeights.kind, ofLayer: layer)
    case .merged(let path): return files[path] != nil
    case .map(let place): return ledger.has(VirtualMap.kind, at: place)
    case .shard(let index): return ledger.record(of: .shard(index: index)) != nil
    }
  }

  // MARK: Phases

  private mutating func submitMissing() {
    let ledger = coordinator!.ledger
    var work: [Work] = []
    if !coordinator!.isWritingShards {
      work = missingSampleWork(ledger)
      work += (0..<job.layerCount).filter { !ledger.has(VirtualWeights.kind, ofLayer: $0) }
        .map { .measureWeights([VirtualWeights.kind], layer: $0) }
      work += VirtualWork.questions.filter { !coordinator!.answered.contains($0.number) }
        .map(Work.score)
    }
    // What is measured of maps needs all that was measured and summed of samples.
    if work.isEmpty, !coordinator!.isWritingShards {
      work = coordinator!.dense.nextWork(coordinator!.machine.presentWorkers)
    }
    if work.isEmpty, !coordinator!.isWritingShards {
      work = TapPlace.all(in: 0..<job.layerCount).filter { !ledger.has(VirtualMap.kind, at: $0) }
        .map(VirtualWork.map)
      if bug == .skipsMap { work = work.dropLast() }
    }
    // Map by map: each needs what is before it.
    if work.isEmpty, !coordinator!.isWritingShards {
      tell(.plan(plan))
      work = coordinator!.targets.nextWork(coordinator!.machine.presentWorkers)
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

  private var sumInputs: [SumWork.Inputs] {
    let layers = 0..<job.layerCount
    return (job.sumsDense ? layers.map { .dense(layers: $0..<$0 + 1) } : [])
      + TapPlace.all(in: layers).dropFirst(job.firstPrunedStep).map {
        .pruned($0, plan: plan.digest)
      }
  }

  /// Of the maps that have no file: layer by layer, one beside the other, or map by map.
  private func sumRounds(ofDense isDense: Bool) -> VirtualSumRounds {
    let tree = CanonicalTree(leafCount: job.leafCount)
    return VirtualSumRounds(
      sumInputs.filter { $0.isDense == isDense }.map { inputs in
        let places = inputs.places.filter { files[VirtualWork.path(inputs, $0)] == nil }
        return VirtualSumRounds.Round(inputs: inputs, places: places)
      },
      from: isDense ? 0 : job.layerCount,
      units: tree.nodes(in: tree.root, upToLevel: job.unitLevel).map {
        VirtualWork.unit($0, leafCount: job.leafCount)
      },
      folder: job.sharesSums ? "sums" : nil, overlaps: isDense, bug: bug)
  }

  /// Both kinds in one task for each unit, or each on its own.
  private func missingSampleWork(_ ledger: RunLedger) -> [Work] {
    let tree = CanonicalTree(leafCount: job.leafCount)
    let requests = job.asksTogether ? [VirtualWork.kinds] : VirtualWork.kinds.map { [$0] }
    return requests.flatMap { kinds in
      ledger.missingNodes(of: kinds[0]).flatMap { node in
        tree.nodes(in: node, upToLevel: job.unitLevel)
      }.map { .measureSamples(kinds, VirtualWork.unit($0, leafCount: job.leafCount)) }
    }
  }

  private var plan: PlanBroadcast {
    PlanBroadcast(
      outputDirectory: job.gathers ? nil : "out", maximumShardBytes: 1,
      digest: VirtualWork.digest(of: [1]), payload: [1])
  }

  private func isAcknowledged(_ work: Work) -> Bool {
    let tree = CanonicalTree(leafCount: job.leafCount)
    return work.promises.contains { promise in
      guard case .samples(let kind, let node) = promise else {
        return acknowledged.contains(promise)
      }
      return acknowledged.contains { other in
        guard case .samples(kind, let counted) = other else { return false }
        return tree.leaves(of: counted).overlaps(tree.leaves(of: node))
      }
    }
  }

  private mutating func completePhase() {
    guard coordinator!.isWritingShards else { return submitMissing() }
    isFinished = true
    disk.operationsUntilPowerCut = nil
    do {
      violations += try VirtualWork.differences(
        in: coordinator!.ledger, leafCount: job.leafCount, layerCount: job.layerCount)
    } catch {
      violations.append("\(error)")
    }
    violations += VirtualWork.differences(in: files, of: sumInputs, leafCount: job.leafCount)
    for index in 0..<job.shardCount
    where shards[index] != VirtualWork.result(of: .writeShard(index: index)) {
      violations.append("shard \(index) has other bits")
    }
  }

  // MARK: Events and effects

  /// Whether an event reaches the coordinator now: while it stands still, and for what was said
  /// meanwhile a little longer, events wait.
  mutating func reaches(_ event: Event) -> Bool {
    guard let stall = coordinator?.stall else { return true }
    let isMessage = if case .toCoordinator = event { true } else { false }
    let due = isMessage ? stall.messagesCome : stall.ends
    guard due <= now else {
      queue.add(event, at: due)
      return false
    }
    if !stall.isOver {
      coordinator!.stall!.isOver = true
      if bug != .blamesForOwnStall { tell(.stalled(now - stall.began)) }
    }
    if coordinator != nil, stall.messagesCome <= now { coordinator!.stall = nil }
    return coordinator != nil
  }

  mutating func tell(_ event: CoordinatorMachine.Event) {
    guard coordinator != nil else { return }
    for effect in coordinator!.machine.handle(event, at: now) {
      switch effect {
      case .send(let message, let id): send(message, to: id)
      case .append(let attempt, let bytes): coordinator!.inbox[attempt, default: []] += bytes
      case .discard(let attempt): coordinator!.inbox[attempt] = nil
      case .store(let attempt, let result, let claim):
        let delay = Duration.milliseconds(Int.random(in: 0...300, using: &generator))
        queue.add(.store(attempt, result, claim, epoch: epoch), at: now + delay)
      case .verify(let failure, let claim):
        let delay = Duration.milliseconds(Int.random(in: 0...300, using: &generator))
        queue.add(.verify(failure, claim, epoch: epoch), at: now + delay)
      case .computed, .removed: break
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

  mutating func verify(_ failure: TaskFailure, _ claim: ModelClaim) {
    if let damage = damage(in: claim) {
      tell(.damaged(claim.worker, damage))
    } else {
      tell(.verified(failure, claim.worker))
    }
  }

  private func damage(in claim: ModelClaim) -> TensorDamage? {
    guard bug != .storesBeforeVerifying,
      claim.checksums.contains(where: { $0 != VirtualWork.checksum(ofTensor: $0.tensor) })
    else { return nil }
    return TensorDamage(tensor: "weight", fileName: "model.safetensors")
  }

  mutating func store(_ attempt: TaskAttempt, _ result: TaskResult, _ claim: ModelClaim) {
    if let damage = damage(in: claim) {
      coordinator!.inbox[attempt] = nil
      tell(.damaged(claim.worker, damage))
      return tell(.refused(attempt, reason: "damaged"))
    }
    if damagedResults.contains(attempt) {
      violations.append("\(attempt) was computed from a damaged model")
    }
    let work = coordinator!.tasks[attempt.task]!
    var promises = work.promises
    do {
      switch result {
      case .written(let shard):
        guard case .writeShard(let index) = work else { return violations.append("odd result") }
        guard let bytes = waitingShards.removeValue(forKey: attempt) else {
          return violations.append("the file of \(attempt) is gone before it was stored")
        }
        shards[index] = bytes
        try coordinator!.ledger.keep(
          shard: index, fileName: shard.fileName, byteCount: shard.byteCount, digest: shard.digest)
      case .received(_, let digest, let endpoint):
        let bytes = coordinator!.inbox.removeValue(forKey: attempt) ?? []
        switch work {
        case .score, .sum, .merge, .writeShard:
          guard VirtualWork.digest(of: bytes) == digest else {
            return tell(.refused(attempt, reason: "damaged"))
          }
        case .measureSamples, .measureWeights, .measureMap: break
        }
        switch work {
        case .score(let work): take(bytes, of: work)
        case .sum(let work): take(bytes, of: work, at: .worker(claim.worker, endpoint: endpoint))
        case .merge(let merge): if !take(bytes, of: merge) { promises = [] }
        case .writeShard(let index):
          shards[index] = bytes
          try coordinator!.ledger.keep(
            shard: index, fileName: "\(index)", byteCount: bytes.count, digest: digest)
        case .measureSamples, .measureWeights, .measureMap:
          var report = VirtualWork.reader(
            bytes, digest: bug == .mergesBeforeDigest ? digest : nil)
          let verdict = try coordinator!.ledger.keep(&report, of: work, expecting: digest)
          if case .refused(let reason) = verdict {
            return tell(.refused(attempt, reason: reason))
          }
        }
      }
      acknowledged.formUnion(promises)
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

  private mutating func take(_ bytes: [UInt8], of work: ScoreWork) {
    let spanCount = work.spans.reduce(0) { count, _ in count + 1 }
    guard let scores = SpanScore.decode(bytes, spanCount: spanCount),
      SpanScore.encode(scores) == VirtualWork.result(of: .score(work))
    else { return violations.append("questions \(work.number) have other answers") }
    coordinator!.answered.insert(work.number)
  }

  private mutating func take(
    _ bytes: [UInt8], of work: SumWork, at worker: SumCollection.Holder
  ) {
    guard let sums = VirtualWork.decodeHeldSums(bytes) else {
      return violations.append("a report on sums that cannot be read")
    }
    let holder: SumCollection.Holder = work.folder.map { .folder($0) } ?? worker
    let wrong =
      work.inputs.isDense
      ? coordinator!.dense.take(sums, of: work, at: holder)
      : coordinator!.targets.take(sums, of: work, at: holder)
    if let wrong { violations.append(wrong) }
  }

  /// - Returns: whether the map's file stands.
  private mutating func take(_ bytes: [UInt8], of merge: SumMerge) -> Bool {
    guard let outcome = VirtualWork.decodeMergeOutcome(bytes) else {
      violations.append("a report on adding up that cannot be read")
      return false
    }
    let isDense = if case .dense = merge.origin { true } else { false }
    let wrong =
      isDense
      ? coordinator!.dense.take(outcome, of: merge.place)
      : coordinator!.targets.take(outcome, of: merge.place)
    if let wrong { violations.append(wrong) }
    return if case .merged = outcome { true } else { false }
  }
}

extension Work {
  fileprivate var promises: [VirtualCluster.Promise] {
    switch self {
    case .measureSamples(let kinds, let unit, _): kinds.map { .samples($0, unit.node) }
    case .measureWeights(_, let layer): [.weights(layer: layer)]
    case .measureMap(let work): [.map(work.place)]
    // What is held of sums may be lost, and answers are with a coordinator's memory.
    case .score, .sum: []
    case .merge(let merge): [.merged(path: merge.path)]
    case .writeShard(let index): [.shard(index: index)]
    }
  }
}
