import FlapCore

/// What workers say of their tasks.
extension CoordinatorMachine {
  mutating func receive(
    _ message: WorkerMessage, from id: WorkerID, _ now: Instant, _ effects: inout [Effect]
  ) {
    if case .hello(let hello) = message { return join(id, hello, now, &effects) }
    guard workers.find(id) != nil else {
      if case .bye = message { return }
      return fence(id, &effects)
    }
    workers[id].lastHeard = now
    switch message {
    case .hello: break
    case .heartbeat(let heartbeat): beat(heartbeat, from: id, now, &effects)
    case .accepted(let attempt): workers[id].job?.noteProgress(of: attempt, now)
    case .reportBegin(let begin): beginReport(begin, from: id, now, &effects)
    case .reportChunk(let chunk): receiveChunk(chunk, from: id, now, &effects)
    case .reportEnd(let attempt): endReport(attempt, from: id, now, &effects)
    case .shardCommitted(let shard): take(shard, from: id, &effects)
    case .taskFailed(let failure): fail(failure, from: id, &effects)
    case .bye(let reason): remove(id, .left(reason), now, &effects)
    }
  }

  // MARK: Heartbeats

  private mutating func beat(
    _ heartbeat: Heartbeat, from id: WorkerID, _ now: Instant, _ effects: inout [Effect]
  ) {
    effects.append(.send(.leaseRenewed, to: id))
    if let (kind, pause) = workers[id].take(heartbeat, now) { paces[kind].pause.add(pause) }
    let job = workers[id].job
    if let attempt = heartbeat.attempt, attempt != job?.attempt {
      // An answer to it was lost, or is on its way: that it is not wanted does no harm now.
      effects.append(.send(.cancel(attempt), to: id))
    }
    if let job, job.idleBeats >= settings.idleBeatLimit {
      // The assignment, or the word that it failed, was lost with a connection.
      dropReport(of: takeJob(job.attempt, from: id), &effects)
      noteRequeued(job.attempt, tasks[job.attempt.task].release(by: id), &effects)
    }
  }

  // MARK: Reports

  private mutating func beginReport(
    _ begin: ReportBegin, from id: WorkerID, _ now: Instant, _ effects: inout [Effect]
  ) {
    guard let kind = workers[id].job?.kind else { return }
    let limit = settings.maximumResultBytes(kind)
    switch workers[id].job?.announce(begin, limit: limit, now) {
    case nil, .untimely: break
    case .broken(let reason): remove(id, .misbehaved(reason), now, &effects)
    case .accepted:
      // What is written to disk as it comes takes no more memory than what is in flight.
      let window = settings.creditsPerReport * settings.chunkBytes
      budget.enqueue(begin.attempt, byteCount: min(window, begin.byteCount))
    }
  }

  /// Lets waiting reports come in as far as there is room for them.
  mutating func grantCredits(_ now: Instant, _ effects: inout [Effect]) {
    while let attempt = budget.admitNext() {
      let task = tasks[attempt.task]
      guard let id = task.holders.first(where: { $0.attempt == attempt })?.worker,
        let chunks = workers[id].job?.admit(chunkBytes: settings.chunkBytes, now)
      else { task.trap("\(attempt) is let in and is not there") }
      effects.append(
        .send(.credit(attempt, chunks: min(chunks, settings.creditsPerReport)), to: id))
    }
  }

  private mutating func receiveChunk(
    _ chunk: ReportChunk, from id: WorkerID, _ now: Instant, _ effects: inout [Effect]
  ) {
    switch workers[id].job?.take(chunk, now) {
    case nil, .untimely: break
    case .broken(let reason): remove(id, .misbehaved(reason), now, &effects)
    case .accepted:
      counters.receivedBytes += chunk.bytes.count
      effects.append(.append(chunk.attempt, chunk.bytes))
      // One granted per one received keeps the number in flight constant.
      effects.append(.send(.credit(chunk.attempt, chunks: 1), to: id))
    }
  }

  private mutating func endReport(
    _ attempt: TaskAttempt, from id: WorkerID, _ now: Instant, _ effects: inout [Effect]
  ) {
    switch workers[id].job?.end(attempt, now) {
    case nil, .untimely: break
    case .broken(let reason): remove(id, .misbehaved(reason), now, &effects)
    case .accepted: offerResult(of: attempt, from: id, &effects)
    }
  }

  private mutating func take(
    _ shard: ShardCommitted, from id: WorkerID, _ effects: inout [Effect]
  ) {
    guard workers[id].job?.take(shard) == .accepted else { return }
    offerResult(of: shard.attempt, from: id, &effects)
  }

  mutating func acceptFailure(
    _ failure: TaskFailure, from id: WorkerID, _ effects: inout [Effect]
  ) {
    let attempt = failure.attempt
    guard workers[id].job?.attempt == attempt else { return }
    dropReport(of: takeJob(attempt, from: id), &effects)
    noteFailure(failure, by: id, &effects)
  }
}
