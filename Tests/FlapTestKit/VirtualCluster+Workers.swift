import Coordination
import FlapCore

/// A worker's machine with what its shell keeps, and what is wrong with it at the moment.
struct VirtualWorker {
  var machine: WorkerMachine
  let host: String
  let instance: UInt64
  /// The work under way, and the result that waits to be sent.
  var computing: Assignment?
  var result: (attempt: TaskAttempt, bytes: [UInt8])?
  var steps = 0
  var timer: Instant?
  var pausedUntil: Instant?
  var hungUntil: Instant?
  var partitionedUntil: Instant?
  /// In its copy of the model; nil: none.
  var damagedTensor: Int?
  /// Tensors that it has read, in that order.
  var readTensors: [Int] = []
  /// When the last message of each direction arrives: those that follow come later.
  var lastToCoordinator = Instant(nanoseconds: 0)
  var lastToWorker = Instant(nanoseconds: 0)
}

extension VirtualCluster {
  /// - Parameter earlier: the host and the process under another name, of a worker that joins again.
  mutating func startWorker(after earlier: (host: String, instance: UInt64)? = nil) {
    let id = WorkerID(bytes: Array("w\(nextWorker)".utf8))
    nextWorker += 1
    let host = earlier?.host ?? "host \(nextWorker % job.hostCount)"
    let instance = earlier?.instance ?? UInt64(nextWorker)
    let hello = Hello(
      softwareVersion: "1", host: host, processID: nextWorker, instance: instance,
      modelDigest: VirtualCluster.settings.modelDigest, kernelFingerprint: "k", coreCount: 1,
      threadCount: 1, memoryBytes: 1 << 30)
    workers[id] = VirtualWorker(
      machine: WorkerMachine(hello: hello, chunkBytes: VirtualCluster.settings.chunkBytes),
      host: host, instance: instance)
    if generator.chance(faults.damagedModel) {
      faultCount += 1
      workers[id]!.damagedTensor = Int.random(in: 0..<VirtualWork.tensorCount, using: &generator)
    }
    workerOrder.append(id)
    if peers[instance] == nil {
      let isDeaf = generator.chance(faults.deaf)
      peers[instance] = VirtualPeer(endpoint: isDeaf ? "" : "tcp://\(instance)")
    }
    tell(id, .started)
  }

  mutating func forget(_ id: WorkerID) {
    workers[id] = nil
    workerOrder.removeAll { $0 == id }
  }

  // MARK: What happens to a worker

  mutating func deliver(_ message: CoordinatorMessage?, to id: WorkerID) {
    guard let worker = workers[id] else { return }
    if let until = worker.pausedUntil, until > now {
      return queue.add(.toWorker(message, id), at: until)
    }
    // What cannot be decoded is dropped.
    if let message { tell(id, .received(message)) }
  }

  mutating func fireTimer(of id: WorkerID) {
    guard let worker = workers[id] else { return }
    if let until = worker.pausedUntil, until > now {
      return queue.add(.workerTimer(id), at: until)
    }
    workers[id]!.timer = nil
    if worker.computing != nil, worker.hungUntil ?? now <= now { workers[id]!.steps += 1 }
    tell(id, .timer(status(of: id)))
  }

  mutating func finish(_ attempt: TaskAttempt, by id: WorkerID) {
    guard let worker = workers[id], let assignment = worker.computing,
      assignment.attempt == attempt
    else { return }
    if let until = max(worker.pausedUntil, worker.hungUntil), until > now {
      return queue.add(.computed(id, attempt), at: until)
    }
    workers[id]!.computing = nil
    computedCount += 1
    let read = VirtualWork.tensors(of: assignment.work)
    workers[id]!.readTensors += read.filter { !worker.readTensors.contains($0) }
    if let damaged = worker.damagedTensor, read.contains(damaged) {
      damagedResults.insert(attempt)
    }
    var bytes: [UInt8]
    switch assignment.work {
    case .sum(let work):
      bytes = keep(work, by: worker.instance, isDamaged: damagedResults.contains(attempt))
    case .merge(let merge): bytes = VirtualWork.encode(self.merge(merge, by: worker))
    default: bytes = VirtualWork.result(of: assignment.work, layerCount: job.layerCount)
    }
    if generator.chance(faults.failTask) {
      return tell(id, .finished(attempt, .failed(.transient, reason: "planted"), status(of: id)))
    }
    if case .writeShard = assignment.work, damagedResults.contains(attempt) { bytes[0] ^= 1 }
    let digest = VirtualWork.digest(of: bytes)
    if case .writeShard(let index) = assignment.work, !job.gathers {
      waitingShards[attempt] = bytes
      let shard = WorkerMachine.Outcome.shard(
        fileName: "\(index)", byteCount: bytes.count, digest: digest)
      return tell(id, .finished(attempt, shard, status(of: id)))
    }
    workers[id]!.result = (attempt, bytes)
    var endpoint = ""
    if case .sum(let work) = assignment.work, work.folder == nil {
      endpoint = peers[worker.instance]!.endpoint
    }
    let report = WorkerMachine.Outcome.report(
      byteCount: bytes.count, digest, endpoint: endpoint)
    tell(id, .finished(attempt, report, status(of: id)))
  }

  private func status(of id: WorkerID) -> WorkerStatus {
    let worker = workers[id]!
    return WorkerStatus(
      completedSteps: worker.steps, totalSteps: worker.steps + 1,
      checksums: worker.readTensors.map {
        VirtualWork.checksum(ofTensor: $0, isDamaged: $0 == worker.damagedTensor)
      })
  }

  private mutating func tell(_ id: WorkerID, _ event: WorkerMachine.Event) {
    for effect in workers[id]!.machine.handle(event, at: now) {
      switch effect {
      case .send(let message): send(message, from: id)
      case .sendChunk(let attempt, let range):
        guard let result = workers[id]!.result, result.attempt == attempt else {
          return violations.append("a chunk of a result that is gone")
        }
        let bytes = Array(result.bytes[range])
        let chunk = ReportChunk(attempt: attempt, offset: range.lowerBound, bytes: bytes)
        send(.reportChunk(chunk), from: id)
      case .configure(let terms): peers[workers[id]!.instance]!.configure(terms)
      case .adopt(let plan): peers[workers[id]!.instance]!.adopt(plan)
      case .begin(let assignment):
        peers[workers[id]!.instance]!.makeRoom(for: assignment.work)
        workers[id]!.steps = 0
        workers[id]!.computing = assignment
        let duration = Duration.milliseconds(Int.random(in: 10...4000, using: &generator))
        queue.add(.computed(id, assignment.attempt), at: now + duration)
      case .abandon: workers[id]!.computing = nil
      case .forget(let attempt):
        workers[id]!.result = nil
        waitingShards[attempt] = nil
      case .exit(let ending):
        // It joins again, or its launcher starts another.
        let worker = workers[id]!
        let joinsAgain = [.givenUp, .orphaned, .endedEarly].contains(ending.kind)
        forget(id)
        if !joinsAgain { peers[worker.instance] = nil }
        let delay = Duration.milliseconds(Int.random(in: 0...5000, using: &generator))
        return queue.add(
          .startWorker(after: joinsAgain ? (worker.host, worker.instance) : nil), at: now + delay)
      }
    }
    guard let due = workers[id]!.machine.nextTimer else { return }
    if workers[id]!.timer.map({ due < $0 }) ?? true {
      workers[id]!.timer = due
      queue.add(.workerTimer(id), at: max(due, now))
    }
  }

  /// A signal asks a worker to leave.
  mutating func askToLeave(_ id: WorkerID) { tell(id, .leave(reason: "planted")) }

  // MARK: Network

  mutating func send(_ message: CoordinatorMessage, to id: WorkerID) {
    guard workers[id] != nil else { return }
    for fate in fates(of: id) {
      let time = arrival(after: workers[id]!.lastToWorker, isReordered: fate.isReordered)
      if !fate.isReordered { workers[id]!.lastToWorker = time }
      queue.add(.toWorker(fate.isGarbled ? nil : message, id), at: time)
    }
  }

  private mutating func send(_ message: WorkerMessage, from id: WorkerID) {
    for fate in fates(of: id) {
      let time = arrival(after: workers[id]!.lastToCoordinator, isReordered: fate.isReordered)
      if !fate.isReordered { workers[id]!.lastToCoordinator = time }
      var sent = message
      if case .reportChunk(var chunk) = message, generator.chance(faults.corrupt) {
        faultCount += 1
        chunk.bytes[chunk.bytes.count / 2] ^= 1
        sent = .reportChunk(chunk)
      }
      queue.add(
        .toCoordinator(fate.isGarbled ? nil : sent, from: id, epoch: epoch), at: time)
    }
  }

  private struct Fate {
    var isReordered = false
    var isGarbled = false
  }

  /// What becomes of a message on the worker's link: none, one or two copies of it arrive.
  private mutating func fates(of id: WorkerID) -> [Fate] {
    if let until = workers[id]!.partitionedUntil, until > now { return [] }
    if generator.chance(faults.drop) {
      faultCount += 1
      return []
    }
    let fate = Fate(
      isReordered: generator.chance(faults.reorder), isGarbled: generator.chance(faults.truncate))
    return generator.chance(faults.duplicate) ? [fate, Fate(isReordered: true)] : [fate]
  }

  private mutating func arrival(after last: Instant, isReordered: Bool) -> Instant {
    let delay = Duration.milliseconds(
      Int.random(in: isReordered ? 0...3000 : 0...100, using: &generator))
    return isReordered ? now + delay : max(last, now + delay)
  }
}

private func max(_ left: Instant?, _ right: Instant?) -> Instant? {
  guard let left, let right else { return left ?? right }
  return Swift.max(left, right)
}
