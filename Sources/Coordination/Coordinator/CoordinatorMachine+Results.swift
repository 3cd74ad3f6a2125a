import FlapCore

/// What workers say of their tasks.
extension CoordinatorMachine {
  mutating func receive(
    _ message: WorkerMessage, from id: WorkerID, _ now: Instant, _ effects: inout [Effect]
  ) {
    if case .hello(let hello) = message { return join(id, hello, now, &effects) }
    guard workers[id] != nil else {
      if case .bye = message { return }
      return fence(id, &effects)
    }
    workers[id]!.lastHeard = now
    switch message {
    case .hello: break
    case .heartbeat(let heartbeat): beat(heartbeat, from: id, now, &effects)
    case .accepted(let attempt): workers[id]!.noteProgress(of: attempt, now)
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
    if let pause = workers[id]!.take(heartbeat, now) {
      paces[workers[id]!.job!.kind].pause.add(pause)
    }
    if let attempt = heartbeat.attempt, attempt != workers[id]!.job?.attempt {
      // An answer to it was lost, or is on its way: said again it does no harm.
      let isDone = tasks[attempt.task]?.state.doneDigest != nil
      effects.append(.send(isDone ? .reportAcknowledged(attempt) : .cancel(attempt), to: id))
    }
    if let job = workers[id]!.job, job.idleBeats >= settings.idleBeatLimit {
      // The assignment, or the word that it failed, was lost with a connection.
      release(id, &effects)
      requeue(job.attempt, &effects)
    }
  }

  // MARK: Reports

  private mutating func beginReport(
    _ begin: ReportBegin, from id: WorkerID, _ now: Instant, _ effects: inout [Effect]
  ) {
    guard let job = workers[id]!.job, job.attempt == begin.attempt, job.report == nil else {
      return
    }
    workers[id]!.noteProgress(of: begin.attempt, now)
    if let accepted = tasks[begin.attempt.task]!.state.doneDigest {
      return settleDuplicate(
        begin.attempt, begin.digest, accepted: accepted, from: id, &effects)
    }
    let limit = settings.maximumResultBytes(job.kind)
    guard begin.byteCount > 0, begin.byteCount <= limit else {
      let reason = "a report of \(begin.byteCount) bytes where at most \(limit) are possible"
      return remove(id, .misbehaved(reason), now, &effects)
    }
    workers[id]!.job!.report = IncomingReport(begin)
    // What is written to disk as it comes takes no more memory than what is in flight.
    let window = settings.creditsPerReport * settings.chunkBytes
    budget.enqueue(begin.attempt, byteCount: min(window, begin.byteCount))
  }

  /// Lets waiting reports come in as far as there is room for them.
  mutating func grantCredits(_ now: Instant, _ effects: inout [Effect]) {
    while let attempt = budget.admitNext() {
      guard let holders = tasks[attempt.task]?.holders,
        let id = holders.first(where: { workers[$0]?.job?.attempt == attempt })
      else { continue }
      let chunks = workers[id]!.job!.report!.admit(chunkBytes: settings.chunkBytes)
      workers[id]!.job!.lastProgress = now
      effects.append(
        .send(.credit(attempt, chunks: min(chunks, settings.creditsPerReport)), to: id))
    }
  }

  private mutating func receiveChunk(
    _ chunk: ReportChunk, from id: WorkerID, _ now: Instant, _ effects: inout [Effect]
  ) {
    guard workers[id]!.job?.attempt == chunk.attempt, workers[id]!.job!.report != nil else {
      return
    }
    guard workers[id]!.job!.report!.take(offset: chunk.offset, byteCount: chunk.bytes.count) else {
      let reason = "a report chunk at offset \(chunk.offset) that does not follow the last one"
      return remove(id, .misbehaved(reason), now, &effects)
    }
    counters.receivedBytes += chunk.bytes.count
    workers[id]!.noteProgress(of: chunk.attempt, now)
    effects.append(.append(chunk.attempt, chunk.bytes))
    // One granted per one received keeps the number in flight constant.
    effects.append(.send(.credit(chunk.attempt, chunks: 1), to: id))
  }

  private mutating func endReport(
    _ attempt: TaskAttempt, from id: WorkerID, _ now: Instant, _ effects: inout [Effect]
  ) {
    guard let job = workers[id]!.job, job.attempt == attempt, let report = job.report,
      report.stage == .receiving
    else { return }
    guard report.isWhole else {
      let reason =
        "a report that ended after \(report.receivedBytes) of "
        + "\(report.begin.byteCount) bytes"
      return remove(id, .misbehaved(reason), now, &effects)
    }
    workers[id]!.job!.report!.stage = .complete
    workers[id]!.job!.lastProgress = now
    let result = TaskResult.received(byteCount: report.begin.byteCount, report.begin.digest)
    offer(result, of: attempt, from: id, &effects)
  }

  private mutating func take(
    _ shard: ShardCommitted, from id: WorkerID, _ effects: inout [Effect]
  ) {
    guard let job = workers[id]!.job, job.attempt == shard.attempt, job.kind == .writeShard,
      job.report == nil
    else { return }
    let begin = ReportBegin(
      attempt: shard.attempt, byteCount: shard.byteCount, digest: shard.digest)
    workers[id]!.job!.report = IncomingReport(complete: begin, shard)
    offer(.written(shard), of: shard.attempt, from: id, &effects)
  }

  /// Takes a complete result: has the first stored; a later one waits for what comes of that.
  private mutating func offer(
    _ result: TaskResult, of attempt: TaskAttempt, from id: WorkerID, _ effects: inout [Effect]
  ) {
    switch tasks[attempt.task]!.state {
    case .done(let accepted):
      settleDuplicate(attempt, result.digest, accepted: accepted, from: id, &effects)
    case .storing: break
    case .pending, .running:
      pending.removeAll { $0 == attempt.task }
      tasks[attempt.task]!.state = .storing(attempt)
      tasks[attempt.task]!.offered = result.digest
      workers[id]!.job!.report!.isHandedOver = true
      effects.append(.store(attempt, result))
    }
  }

  private mutating func settleDuplicate(
    _ attempt: TaskAttempt, _ digest: Digest, accepted: Digest, from id: WorkerID,
    _ effects: inout [Effect]
  ) {
    counters.duplicates += 1
    if digest != accepted {
      let name = tasks[attempt.task]!.work.name
      effects.append(.log(.resultsDiffer(attempt, name, accepted, digest)))
      if settings.isStrict { fail(.resultsDiffer(attempt.task, name), &effects) }
    }
    release(id, &effects)
    effects.append(.send(.reportAcknowledged(attempt), to: id))
  }

  // MARK: Storing

  /// The stored result is safe: every worker that delivered it may forget it, and those that are
  /// still at it may stop.
  mutating func acknowledge(
    _ attempt: TaskAttempt, _ now: Instant, _ effects: inout [Effect]
  ) {
    guard tasks[attempt.task]!.state == .storing(attempt) else {
      preconditionFailure("only what is being stored can have been stored")
    }
    let accepted = tasks[attempt.task]!.offered!
    tasks[attempt.task]!.state = .done(accepted)
    unfinishedCount -= 1
    counters.completed += 1
    for id in tasks[attempt.task]!.holders {
      let job = workers[id]!.job!
      if job.attempt == attempt {
        paces[job.kind].task.add(now - job.assignedAt)
        release(id, &effects)
        effects.append(.send(.reportAcknowledged(attempt), to: id))
      } else if let report = job.report {
        settleDuplicate(
          job.attempt, report.begin.digest, accepted: accepted, from: id, &effects)
      } else {
        release(id, &effects)
        effects.append(.send(.cancel(job.attempt), to: id))
      }
    }
    if unfinishedCount == 0 { effects.append(.completed) }
  }

  /// The bytes that came are not those that the worker said it sends, or cannot be its result.
  mutating func refuse(
    _ attempt: TaskAttempt, because reason: String, _ now: Instant, _ effects: inout [Effect]
  ) {
    guard tasks[attempt.task]!.state == .storing(attempt) else {
      preconditionFailure("only what is being stored can be damaged")
    }
    tasks[attempt.task]!.state = .running
    let holders = tasks[attempt.task]!.holders
    if let id = holders.first(where: { workers[$0]!.job!.attempt == attempt }) {
      // The worker must not wait for an acknowledgement that never comes.
      effects.append(.send(.cancel(attempt), to: id))
      let failure = TaskFailure(
        attempt: attempt, failureClass: .transient, reason: reason)
      fail(failure, from: id, &effects)
    } else {
      requeue(attempt, &effects)
    }
    // Another attempt may have delivered in the meantime.
    for id in tasks[attempt.task]!.holders {
      guard tasks[attempt.task]!.state == .running, let job = workers[id]!.job,
        let report = job.report, report.stage == .complete
      else { continue }
      offer(report.result, of: job.attempt, from: id, &effects)
    }
  }

  // MARK: Letting go

  /// The worker's job is over, one way or the other.
  mutating func release(_ id: WorkerID, _ effects: inout [Effect]) {
    guard let job = workers.takeJob(from: id) else { return }
    tasks[job.attempt.task]!.holders.removeAll { $0 == id }
    dropReport(job, &effects)
  }

  /// Gives back the room of a report that came, or was to come.
  mutating func dropReport(_ job: WorkerRecord.Job, _ effects: inout [Effect]) {
    guard let report = job.report else { return }
    budget.release(job.attempt)
    // Storing takes the bytes; all others go.
    if !report.isHandedOver, report.receivedBytes > 0 { effects.append(.discard(job.attempt)) }
  }

  private mutating func fail(
    _ failure: TaskFailure, from id: WorkerID, _ effects: inout [Effect]
  ) {
    guard workers[id]!.job?.attempt == failure.attempt else { return }
    release(id, &effects)
    let task = failure.attempt.task
    let name = tasks[task]!.work.name
    let host = workers[id]!.hello.host
    effects.append(.log(.taskFailed(failure, name, host: host)))
    guard tasks[task]!.state == .running else { return }
    tasks[task]!.failureCount += 1
    if failure.failureClass == .permanent {
      fail(.permanent(failure.reason), &effects)
    } else if tasks[task]!.failureCount >= settings.attemptLimit {
      fail(.attemptsExhausted(task, name, reason: failure.reason), &effects)
    }
    blame(host, for: task, &effects)
    requeue(failure.attempt, &effects)
  }
}
