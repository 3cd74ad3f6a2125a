internal import Statistics

/// Who gets which task, and when a task is tried a second time beside the first.
extension CoordinatorMachine {
  mutating func assignTasks(_ now: Instant, _ effects: inout [Effect]) {
    guard mode == .working, tasks.unfinishedCount > 0 else { return }
    for worker in candidates {
      if let next = next(for: worker) {
        assign(next, to: worker, now, &effects)
      } else if let straggler = straggler(for: worker, now) {
        counters.speculations += 1
        assign(straggler.task, to: worker, beside: straggler, now, &effects)
      } else if tasks.waitingCount == 0 {
        return
      }
    }
  }

  /// A task whose samples the worker has at hand; else one whose samples nobody has who may do it;
  /// for a worker with far less than its share, one of a worker with more than that.
  private func next(for worker: WorkerRecord) -> TaskID? {
    let host = worker.hello.host
    func isFit(_ task: TaskRecord) -> Bool { !isBarred(task, from: host) }
    return tasks.next { isFit($0) && task($0, isAtHandOf: worker) }
      ?? tasks.next { isFit($0) && !isAtHandOfOther($0) }
      ?? surplus(for: worker).flatMap { holders in
        tasks.next { isFit($0) && $0.work.kept.map { holders.contains($0) } ?? false }
      }
  }

  /// Samples of workers with more than an even share, for one with less than half of it: it has come
  /// later, or in place of one that is gone. Once they are brought up again they stay with it; what
  /// a slow worker has left to others over the first map is not given back to it.
  private func surplus(for worker: WorkerRecord) -> Set<TreeNode>? {
    guard tasks.waitingCount > 0 else { return nil }
    let counts = samplesAtHand.values.reduce(into: [:]) { $0[$1, default: 0] += 1 }
    let share = samplesAtHand.count / workers.count
    guard 2 * counts[worker.id, default: 0] < share else { return nil }
    return Set(samplesAtHand.lazy.filter { counts[$0.value, default: 0] > share }.map(\.key))
  }

  private func task(_ task: TaskRecord, isAtHandOf worker: WorkerRecord) -> Bool {
    guard let kept = task.work.kept else { return false }
    return samplesAtHand[kept] == worker.id
  }

  private func isAtHandOfOther(_ task: TaskRecord) -> Bool {
    guard let kept = task.work.kept, let id = samplesAtHand[kept], let holder = workers.find(id)
    else { return false }
    return !isBarred(task, from: holder.hello.host) && !isExcluded(holder.hello.host)
  }

  /// Whether a task is kept from a host where it failed, because another host may do better.
  private func isBarred(_ task: TaskRecord, from host: String) -> Bool {
    task.failedHosts.contains(host)
      && workers.all.contains {
        !task.failedHosts.contains($0.hello.host) && !isExcluded($0.hello.host)
      }
  }

  func isExcluded(_ host: String) -> Bool {
    hosts.isExcluded(
      host, at: clock, limit: settings.failedTasksPerHost, span: settings.exclusionSpan)
  }

  /// The idle workers that get tasks: those of a host that fails only when there is no other.
  private var candidates: [WorkerRecord] {
    guard workers.idleCount > 0 else { return [] }
    let idle = workers.all.filter { $0.job == nil }
    let hasChoice = workers.all.contains { !isExcluded($0.hello.host) }
    return hasChoice ? idle.filter { !isExcluded($0.hello.host) } : idle
  }

  /// - Parameter earlier: the attempt of another worker that goes on.
  private mutating func assign(
    _ id: TaskID, to worker: WorkerRecord, beside earlier: TaskAttempt? = nil, _ now: Instant,
    _ effects: inout [Effect]
  ) {
    let attempt = tasks[id].begin(by: worker.id)
    let work = tasks[id].work
    if earlier == nil, let kept = work.kept { samplesAtHand[kept] = worker.id }
    workers[worker.id].job = Job(attempt: attempt, kind: work.kind, assignedAt: now)
    lastSerial += 1
    let label = label(of: attempt)
    if let earlier { effects.append(.log(.speculation(label, beside: earlier))) }
    effects.append(.log(.taskAssigned(label, to: worker.id, host: worker.hello.host)))
    if work.needsPlan, attempt.attempt > 1, let plan {
      // The worker may have missed it: a connection that broke takes messages with it.
      effects.append(.send(.plan(plan), to: worker.id))
    }
    let assignment = Assignment(attempt: attempt, work: work, serial: lastSerial)
    effects.append(.send(.assign(assignment), to: worker.id))
  }

  // MARK: Stragglers

  /// An attempt of the phase's end that takes far longer than its like and whose task is worth
  /// trying on `worker` beside the worker that has it.
  private func straggler(for worker: WorkerRecord, _ now: Instant) -> TaskAttempt? {
    guard isAtPhaseEnd else { return nil }
    return workers.all.lazy.filter { $0.id != worker.id }
      .compactMap { straggler(of: $0) }.first { $0.due <= now }?.attempt
  }

  /// When nearly all is done, waiting for the last few is all that is left.
  private var isAtPhaseEnd: Bool {
    tasks.waitingCount == 0
      && tasks.unfinishedCount <= max(1, phase.taskCount / settings.phaseEndDivisor)
  }

  /// What the worker has, and from when on it counts as a straggler; nil for what never will.
  private func straggler(of worker: WorkerRecord) -> (attempt: TaskAttempt, due: Instant)? {
    guard let job = worker.job, job.stage == .working,
      case .running(let holders) = tasks[job.attempt.task].state, holders.second == nil,
      let usual = paces[job.kind].task.median
    else { return nil }
    return (job.attempt, job.assignedAt + usual * settings.stragglerFactor)
  }

  // MARK: Time

  /// When ``Event/timer`` is due next: the earliest moment at which a lease can end, a worker
  /// counts as hung, or a task as a straggler.
  public var nextTimer: Instant? {
    var next = aloneSince.map { $0 + settings.joinLimit }
    func consider(_ time: Instant) { next = min(next ?? time, time) }
    // Without a worker to try it, a straggler is no reason to look again and again.
    let mayDouble = mode == .working && isAtPhaseEnd && !candidates.isEmpty
    for worker in workers.all {
      consider(worker.lastHeard + settings.deadAfter)
      if let job = worker.job, let limit = progressLimit(of: job) {
        consider(job.lastProgress + limit)
      }
      if mayDouble, let straggler = straggler(of: worker) { consider(straggler.due) }
    }
    return next
  }

  /// For how long the job may stand still; nil when it waits for the coordinator.
  func progressLimit(of job: Job) -> Duration? {
    switch job.stage {
    case .announced, .complete, .handedOver: return nil
    case .receiving: return settings.hungAfter
    case .working: break
    }
    guard let usual = paces[job.kind].pause.median else {
      // Nobody has done a step of this kind yet: the weights may come from a slow disk first.
      return settings.hungAfter * settings.coldStartFactor
    }
    return max(settings.hungAfter, usual * settings.hungFactor)
  }

  mutating func watchLoneliness(_ now: Instant, _ effects: inout [Effect]) {
    guard workers.isEmpty, tasks.unfinishedCount > 0, !mode.isOver else {
      aloneSince = nil
      return
    }
    let since = aloneSince ?? now
    aloneSince = since
    if now - since >= settings.joinLimit { fail(.noWorkers(after: settings.joinLimit), &effects) }
  }
}
