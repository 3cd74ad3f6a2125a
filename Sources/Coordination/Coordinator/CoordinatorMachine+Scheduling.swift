/// Who gets which task, and when a task is tried a second time beside the first.
extension CoordinatorMachine {
  mutating func assignTasks(_ now: Instant, _ effects: inout [Effect]) {
    guard !isOver, !isDraining, unfinishedCount > 0, workers.idleCount > 0 else { return }
    let hasChoice = workers.all.contains { !hosts.isExcluded($0.hello.host) }
    for worker in workers.all where worker.job == nil {
      if hasChoice, hosts.isExcluded(worker.hello.host) { continue }
      if let next = pending.popFirst() {
        assign(next, to: worker.id, now, &effects)
      } else if let straggler = straggler(for: worker, now) {
        counters.speculations += 1
        effects.append(.log(.speculation(straggler, tasks[straggler]!.work.name)))
        assign(straggler, to: worker.id, now, &effects)
      } else {
        return
      }
    }
  }

  private mutating func assign(
    _ id: TaskID, to worker: WorkerID, _ now: Instant, _ effects: inout [Effect]
  ) {
    tasks[id]!.attemptCount += 1
    if tasks[id]!.state == .pending { tasks[id]!.state = .running }
    tasks[id]!.holders.append(worker)
    lastSerial += 1
    let attempt = TaskAttempt(task: id, attempt: tasks[id]!.attemptCount)
    workers.give(.init(attempt: attempt, kind: tasks[id]!.work.kind, assignedAt: now), to: worker)
    if tasks[id]!.work.needsPlan, attempt.attempt > 1, let plan {
      // The worker may have missed it: a connection that broke takes messages with it.
      effects.append(.send(.plan(plan), to: worker))
    }
    let assignment = Assignment(attempt: attempt, work: tasks[id]!.work, serial: lastSerial)
    effects.append(.send(.assign(assignment), to: worker))
  }

  // MARK: Stragglers

  /// A task of the phase's end that takes far longer than its like and is worth trying on `worker`
  /// beside the worker that has it.
  private func straggler(for worker: WorkerRecord, _ now: Instant) -> TaskID? {
    guard isAtPhaseEnd else { return nil }
    return workers.all.lazy.compactMap { other -> TaskID? in
      guard other.id != worker.id, let due = stragglerTime(of: other), due <= now else {
        return nil
      }
      return other.job!.attempt.task
    }.first
  }

  /// When nearly all is done, waiting for the last few is all that is left.
  private var isAtPhaseEnd: Bool {
    pending.isEmpty && unfinishedCount <= max(1, phaseTaskCount / settings.phaseEndDivisor)
  }

  /// From when on the worker's task counts as a straggler; nil for one that never will.
  private func stragglerTime(of worker: WorkerRecord) -> Instant? {
    guard let job = worker.job, job.report == nil, tasks[job.attempt.task]!.state == .running,
      tasks[job.attempt.task]!.holders.count == 1, let usual = paces[job.kind].task.median
    else { return nil }
    return job.assignedAt + usual * settings.stragglerFactor
  }

  // MARK: Time

  /// When ``Event/timer`` is due next: the earliest moment at which a lease can end, a worker
  /// counts as hung, or a task as a straggler.
  public var nextTimer: Instant? {
    var next = aloneSince.map { $0 + settings.joinLimit }
    func consider(_ time: Instant) { next = min(next ?? time, time) }
    let mayDouble = isAtPhaseEnd && workers.idleCount > 0 && !isOver && !isDraining
    for worker in workers.all {
      consider(worker.lastHeard + settings.deadAfter)
      if let limit = progressLimit(of: worker) { consider(worker.job!.lastProgress + limit) }
      if mayDouble, let time = stragglerTime(of: worker) { consider(time) }
    }
    return next
  }

  /// For how long the worker's task may stand still; nil when it waits for the coordinator.
  func progressLimit(of worker: WorkerRecord) -> Duration? {
    guard let job = worker.job else { return nil }
    switch job.report?.stage {
    case .waiting, .complete: return nil
    case .receiving: return settings.hungAfter
    case nil: break
    }
    guard let usual = paces[job.kind].pause.median else {
      // Nobody has done a step of this kind yet: the weights may come from a slow disk first.
      return settings.hungAfter * settings.coldStartFactor
    }
    return max(settings.hungAfter, usual * settings.hungFactor)
  }

  mutating func watchLoneliness(_ now: Instant, _ effects: inout [Effect]) {
    guard workers.isEmpty, unfinishedCount > 0, !isOver else {
      aloneSince = nil
      return
    }
    let since = aloneSince ?? now
    aloneSince = since
    if now - since >= settings.joinLimit { fail(.noWorkers(after: settings.joinLimit), &effects) }
  }
}

extension Array {
  fileprivate mutating func popFirst() -> Element? { isEmpty ? nil : removeFirst() }
}
