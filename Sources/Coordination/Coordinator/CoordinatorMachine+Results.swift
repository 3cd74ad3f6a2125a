import FlapCore

/// What workers say of their tasks.
extension CoordinatorMachine {
  mutating func receive(
    _ message: WorkerMessage, from id: WorkerID, _ now: Instant, _ effects: inout [Effect]
  ) {
    if case .hello(let hello) = message { return join(id, hello, now, &effects) }
    guard workers[id] != nil else {
      // Given up earlier, yet alive: its task is another's now.
      if case .bye = message { return }
      effects.append(.send(.reject(reason: "the coordinator gave this worker up"), to: id))
      return
    }
    workers[id]!.lastHeard = now
    switch message {
    case .hello: break
    case .heartbeat(let heartbeat): beat(heartbeat, from: id, now, &effects)
    case .accepted(let attempt): workers[id]!.noteProgress(of: attempt, now)
    case .reportBegin(let begin): beginReport(begin, from: id, now, &effects)
    case .reportChunk(let chunk): receiveChunk(chunk, from: id, now, &effects)
    case .reportEnd(let attempt): endReport(attempt, from: id, now, &effects)
    case .shardCommitted(let shard):
      accept(.shard(shard), of: shard.attempt, digest: shard.digest, from: id, &effects)
    case .taskFailed(let failure): fail(failure, from: id, &effects)
    case .bye(let reason): remove(id, .left(reason), tellingIt: false, &effects)
    }
  }

  private mutating func beat(
    _ heartbeat: Heartbeat, from id: WorkerID, _ now: Instant, _ effects: inout [Effect]
  ) {
    workers[id]!.take(heartbeat, now)
    effects.append(.send(.leaseRenewed, to: id))
  }

  private mutating func beginReport(
    _ begin: ReportBegin, from id: WorkerID, _ now: Instant, _ effects: inout [Effect]
  ) {
    guard var job = workers[id]!.job(for: begin.attempt) else { return }
    job.lastProgress = now
    if case .done(let digest) = tasks[begin.attempt.task]!.state {
      workers[id]!.state = .working(job)
      return settleDuplicate(begin.attempt, begin.digest, accepted: digest, from: id, &effects)
    }
    guard begin.byteCount > 0, begin.byteCount <= settings.maximumReportBytes else {
      let reason =
        "a report of \(begin.byteCount) bytes where at most "
        + "\(settings.maximumReportBytes) are possible"
      return remove(id, .misbehaved(reason), tellingIt: true, &effects)
    }
    job.report = ReportAssembly(begin)
    workers[id]!.state = .working(job)
    let chunks = (begin.byteCount + Limits.chunkBytes - 1) / Limits.chunkBytes
    effects.append(.send(.credit(chunks: min(chunks, settings.creditsPerReport)), to: id))
  }

  private mutating func receiveChunk(
    _ chunk: ReportChunk, from id: WorkerID, _ now: Instant, _ effects: inout [Effect]
  ) {
    guard var job = workers[id]!.job(for: chunk.attempt) else { return }
    guard job.report?.append(chunk) == true else {
      let reason = "a report chunk at offset \(chunk.offset) that does not follow the last one"
      return remove(id, .misbehaved(reason), tellingIt: true, &effects)
    }
    job.lastProgress = now
    workers[id]!.state = .working(job)
    // One granted per one received keeps the number in flight constant.
    effects.append(.send(.credit(chunks: 1), to: id))
  }

  private mutating func endReport(
    _ attempt: TaskAttempt, from id: WorkerID, _ now: Instant, _ effects: inout [Effect]
  ) {
    guard var job = workers[id]!.job(for: attempt), let report = job.report else { return }
    job.report = nil
    job.lastProgress = now
    workers[id]!.state = .working(job)
    guard report.isComplete, settings.digest(report.bytes) == report.begin.digest else {
      let failure = TaskFailure(
        attempt: attempt, failureClass: .transient, reason: "its report was damaged on the way")
      return fail(failure, from: id, &effects)
    }
    accept(.report(report.bytes), of: attempt, digest: report.begin.digest, from: id, &effects)
  }

  /// Takes a complete result: stores the first, compares a later one with it.
  private mutating func accept(
    _ result: TaskResult, of attempt: TaskAttempt, digest: Digest, from id: WorkerID,
    _ effects: inout [Effect]
  ) {
    guard workers[id]!.job(for: attempt) != nil else { return }
    switch tasks[attempt.task]!.state {
    case .done(let accepted):
      settleDuplicate(attempt, digest, accepted: accepted, from: id, &effects)
    case .storing: break  // Settled when the one that came first is safe.
    case .pending, .running:
      pending.removeAll { $0 == attempt.task }
      tasks[attempt.task]!.state = .storing(digest)
      effects.append(.store(attempt.task, result))
    }
  }

  private mutating func settleDuplicate(
    _ attempt: TaskAttempt, _ digest: Digest, accepted: Digest, from id: WorkerID,
    _ effects: inout [Effect]
  ) {
    if digest != accepted {
      let name = tasks[attempt.task]!.work.name
      effects.append(.log(.resultsDiffer(attempt, name, accepted, digest)))
      if settings.isStrict { fail(.resultsDiffer(attempt.task, name), &effects) }
    }
    release(id, attempt, &effects)
  }

  /// The stored result is safe: every worker that delivered it may forget it.
  mutating func acknowledge(_ task: TaskID, _ effects: inout [Effect]) {
    guard case .storing(let digest) = tasks[task]!.state else {
      preconditionFailure("only what is being stored can have been stored")
    }
    tasks[task]!.state = .done(digest)
    unfinishedCount -= 1
    for worker in workers.all where worker.currentAttempt?.task == task {
      release(worker.id, worker.currentAttempt!, &effects)
    }
    if unfinishedCount == 0 { effects.append(.completed) }
  }

  private mutating func release(
    _ id: WorkerID, _ attempt: TaskAttempt, _ effects: inout [Effect]
  ) {
    workers[id]!.state = .idle
    effects.append(.send(.reportAcknowledged(attempt), to: id))
  }

  private mutating func fail(
    _ failure: TaskFailure, from id: WorkerID, _ effects: inout [Effect]
  ) {
    guard workers[id]!.job(for: failure.attempt) != nil else { return }
    let record = tasks[failure.attempt.task]!
    workers[id]!.state = .idle
    effects.append(.log(.taskFailed(failure, record.work.name, host: workers[id]!.hello.host)))
    guard record.state == .running else { return }
    if failure.failureClass == .permanent {
      fail(.permanent(failure.reason), &effects)
    } else if record.attemptCount >= settings.attemptLimit {
      fail(
        .attemptsExhausted(failure.attempt.task, record.work.name, reason: failure.reason),
        &effects)
    }
    requeue(failure.attempt, &effects)
  }
}
