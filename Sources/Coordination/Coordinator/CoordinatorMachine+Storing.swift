import FlapCore

/// What becomes of complete results, and of attempts that come to none.
extension CoordinatorMachine {
  /// Has a complete result stored, if it is the first; a later one waits for what comes of that.
  mutating func offerResult(
    of attempt: TaskAttempt, from id: WorkerID, _ effects: inout [Effect]
  ) {
    if case .storing = tasks[attempt.task].state { return }
    guard let result = workers[id].job?.handOver() else {
      tasks[attempt.task].trap(at: .offered(attempt.attempt, id))
    }
    tasks[attempt.task].offer(result.digest, of: attempt, by: id)
    noteKernels(of: id, &effects)
    let claim = ModelClaim(id, workers[id].job?.checksums ?? [])
    effects.append(.store(attempt, result, claim))
  }

  /// What is stored stays: who computes later, also after a resumption, is compared with it.
  private mutating func noteKernels(of id: WorkerID, _ effects: inout [Effect]) {
    let fingerprint = self.fingerprint(of: workers[id].hello)
    guard !kernels.contains(fingerprint) else { return }
    kernels.append(fingerprint)
    effects.append(.computed(by: fingerprint))
  }

  /// The stored result is safe: every worker that delivered it may forget it, and those that are
  /// still at it may stop.
  mutating func acknowledge(
    _ attempt: TaskAttempt, _ now: Instant, _ effects: inout [Effect]
  ) {
    let (offer, holders) = tasks[attempt.task].acknowledge(attempt)
    counters.completed += 1
    effects.append(.log(.taskStored(label(of: attempt))))
    for holder in holders {
      let job = takeJob(holder.attempt, from: holder.worker)
      if holder.attempt == attempt {
        let task = tasks[attempt.task]
        paces[job.kind].task.add(now - job.assignedAt)
        phase.note(task.work, cost: task.cost, now - job.assignedAt)
        dropReport(of: job, &effects)
        effects.append(.send(.reportAcknowledged(attempt), to: holder.worker))
      } else if let digest = job.resultDigest {
        compare(digest, of: holder.attempt, with: offer, &effects)
        dropReport(of: job, &effects)
        // Nobody has looked at its checksums: what is not acknowledged comes again.
        let isVerified = job.checksums.isEmpty
        effects.append(
          .send(
            isVerified ? .reportAcknowledged(holder.attempt) : .cancel(holder.attempt),
            to: holder.worker))
      } else {
        effects.append(.log(.taskSuperseded(label(of: holder.attempt), by: attempt)))
        effects.append(.send(.cancel(holder.attempt), to: holder.worker))
      }
    }
    if tasks.unfinishedCount == 0 { effects.append(.completed) }
  }

  /// A second result must be the same as the first, which is safe, where the work has one only.
  private mutating func compare(
    _ digest: Digest, of attempt: TaskAttempt, with accepted: TaskOffer,
    _ effects: inout [Effect]
  ) {
    counters.duplicates += 1
    let label = label(of: attempt)
    guard digest != accepted.digest, tasks[attempt.task].work.hasOneResult else {
      return effects.append(.log(.taskSuperseded(label, by: accepted.attempt)))
    }
    effects.append(
      .log(.resultsDiffer(label, digest, accepted: accepted.digest, of: accepted.attempt)))
    if settings.isStrict { fail(.resultsDiffer(attempt.task, label.work), &effects) }
  }

  /// The bytes that came are not those that the worker said it sends, or cannot be its result.
  mutating func refuse(
    _ attempt: TaskAttempt, because reason: String, _ now: Instant, _ effects: inout [Effect]
  ) {
    let aftermath = tasks[attempt.task].refuse(attempt)
    if let id = tasks[attempt.task].holders.first(where: { $0.attempt == attempt })?.worker {
      // The worker must not wait for an acknowledgement that never comes.
      effects.append(.send(.cancel(attempt), to: id))
      dropReport(of: takeJob(attempt, from: id), &effects)
      let failure = TaskFailure(
        attempt: attempt, failureClass: .transient, reason: reason)
      noteFailure(failure, by: id, &effects)
    } else {
      noteRequeued(attempt, aftermath, &effects)
    }
    // Another attempt may have delivered in the meantime.
    for holder in tasks[attempt.task].holders {
      guard case .complete = workers[holder.worker].job?.stage else { continue }
      offerResult(of: holder.attempt, from: holder.worker, &effects)
    }
  }

  // MARK: Letting go

  /// The worker is idle again; the caller tells the task.
  mutating func takeJob(_ attempt: TaskAttempt, from id: WorkerID) -> Job {
    guard let job = workers[id].takeJob(attempt) else {
      tasks[attempt.task].trap("\(id) does not have \(attempt)")
    }
    return job
  }

  /// Gives back the room of a report that came, or was to come.
  mutating func dropReport(of job: Job, _ effects: inout [Effect]) {
    budget.release(job.attempt)
    if job.hasUnclaimedBytes { effects.append(.discard(job.attempt)) }
  }

  /// The worker could not do it.
  mutating func noteFailure(
    _ failure: TaskFailure, by id: WorkerID, _ effects: inout [Effect]
  ) {
    let attempt = failure.attempt
    let host = workers[id].hello.host
    let aftermath = tasks[attempt.task].fail(by: id, on: host)
    let task = tasks[attempt.task]
    effects.append(
      .log(.taskFailed(label(of: attempt), host: host, reason: failure.reason)))
    guard aftermath != .isStored else { return }
    if failure.failureClass == .permanent {
      fail(.permanent(failure.reason), &effects)
    } else if task.failureCount >= settings.attemptLimit {
      fail(.attemptsExhausted(task.id, task.work.name, reason: failure.reason), &effects)
    }
    let wasExcluded = isExcluded(host)
    hosts.note(failureOf: task.id, on: host, at: clock)
    if !wasExcluded { tellExclusion(of: host, &effects) }
    noteRequeued(attempt, aftermath, &effects)
  }

  /// The attempt came to nothing: people are told when its task waits again.
  mutating func noteRequeued(
    _ attempt: TaskAttempt, _ aftermath: TaskRecord.Aftermath, _ effects: inout [Effect]
  ) {
    guard aftermath == .requeued else { return }
    counters.retries += 1
    effects.append(.log(.taskRequeued(label(of: attempt))))
  }

  func label(of attempt: TaskAttempt) -> AttemptLabel {
    AttemptLabel(attempt, tasks[attempt.task].work.name)
  }
}
