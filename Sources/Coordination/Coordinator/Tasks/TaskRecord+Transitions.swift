package import FlapCore

/// How a task goes from state to state.
extension TaskRecord {
  /// What the end of an attempt means for its task.
  package enum Aftermath: Hashable, Sendable {
    /// Nobody else is at it: it waits for a worker again.
    case requeued
    /// Another worker has it, too.
    case runs
    /// A result of it is being stored.
    case isStored
  }

  /// A worker gets the task: the first one, or a second one beside it.
  package mutating func begin(by worker: WorkerID) -> TaskAttempt {
    let attempt = TaskAttempt(task: id, attempt: attemptCount + 1)
    let holder = TaskHolder(attempt: attempt, worker: worker)
    let step = TaskStory.Step.assigned(attempt.attempt, worker)
    switch state {
    case .pending: state = .running(TaskHolders(holder))
    case .running(let holders):
      guard let both = holders.adding(holder) else { trap(at: step) }
      state = .running(both)
    case .storing, .done: trap(at: step)
    }
    attemptCount = attempt.attempt
    story.note(step)
    return attempt
  }

  /// A complete result of the attempt is handed out for storing.
  package mutating func offer(_ digest: Digest, of attempt: TaskAttempt, by worker: WorkerID) {
    let step = TaskStory.Step.offered(attempt.attempt, worker)
    guard case .running(let holders) = state, holders.holder(of: attempt)?.worker == worker else {
      trap(at: step)
    }
    state = .storing(TaskOffer(attempt: attempt, digest: digest), holders)
    story.note(step)
  }

  /// The result is safe and the task done.
  /// - Returns: what was stored, and who had the task until now.
  package mutating func acknowledge(_ attempt: TaskAttempt) -> (TaskOffer, [TaskHolder]) {
    let (offer, holders) = endStoring(of: attempt, .acknowledged(attempt.attempt))
    state = .done(offer.digest)
    return (offer, holders?.all ?? [])
  }

  /// The result cannot be one, or is not what its digest says. Whoever delivered it, if present,
  /// still has the task.
  package mutating func refuse(_ attempt: TaskAttempt) -> Aftermath {
    let (_, holders) = endStoring(of: attempt, .refused(attempt.attempt))
    return resume(holders)
  }

  /// The worker said that it cannot do the task.
  package mutating func fail(by worker: WorkerID, on host: String) -> Aftermath {
    let aftermath = removeHolder(worker) { .failed($0, worker) }
    if aftermath != .isStored {
      failureCount += 1
      failedHosts.insert(host)
    }
    return aftermath
  }

  /// The worker is given up.
  package mutating func lose(_ worker: WorkerID) -> Aftermath {
    let aftermath = removeHolder(worker) { .lost($0, worker) }
    if aftermath != .isStored { lostWorkerCount += 1 }
    return aftermath
  }

  /// A loss turned out to be nobody's fault.
  package mutating func pardonLoss() { lostWorkerCount = max(0, lostWorkerCount - 1) }

  /// The worker does not have the task any more, which is nobody's fault.
  package mutating func release(by worker: WorkerID) -> Aftermath {
    removeHolder(worker) { .released($0, worker) }
  }

  // MARK: Steps of them

  private mutating func endStoring(of attempt: TaskAttempt, _ step: TaskStory.Step)
    -> (TaskOffer, TaskHolders?)
  {
    guard case .storing(let offer, let holders) = state, offer.attempt == attempt else {
      trap(at: step)
    }
    story.note(step)
    return (offer, holders)
  }

  private mutating func removeHolder(
    _ worker: WorkerID, _ step: (_ attempt: Int) -> TaskStory.Step
  ) -> Aftermath {
    guard let holder = holders.first(where: { $0.worker == worker }) else {
      trap(at: step(attemptCount))
    }
    story.note(step(holder.attempt.attempt))
    switch state {
    case .storing(let offer, let holders):
      state = .storing(offer, holders?.removing(holder))
      return .isStored
    case .running(let holders): return resume(holders.removing(holder))
    case .pending, .done: trap(at: step(holder.attempt.attempt))
    }
  }

  /// The task goes on with those that have it, if there are any.
  private mutating func resume(_ holders: TaskHolders?) -> Aftermath {
    if let holders {
      state = .running(holders)
      return .runs
    }
    state = .pending
    story.note(.requeued)
    return .requeued
  }
}
