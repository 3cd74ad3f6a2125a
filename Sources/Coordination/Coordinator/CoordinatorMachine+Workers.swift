import FlapCore

/// Who joins, who stays and who is given up.
extension CoordinatorMachine {
  mutating func join(
    _ id: WorkerID, _ hello: Hello, _ now: Instant, _ effects: inout [Effect]
  ) {
    if let end = mode.end { return effects.append(.send(.shutdown(end), to: id)) }
    if workers.hasDeparted(id) { return fence(id, &effects) }
    if workers.find(id) == nil {
      if let refusal = refusal(of: hello) {
        effects.append(.send(.reject(refusal), to: id))
        effects.append(.log(.workerRefused(id, host: hello.host, reason: refusal.reason)))
        return
      }
      if let earlier = workers.all.first(where: { $0.hello.instance == hello.instance }) {
        // It lost its connection, or this side stood still: its task waits for nobody's lease.
        remove(earlier.id, .left("it joined again as \(id)"), now, &effects)
      }
      if let known = knownKernels, known.fingerprint != fingerprint(of: hello) {
        effects.append(.log(.mixedKernels(known.fingerprint, fingerprint(of: hello))))
      }
      workers.insert(WorkerRecord(id: id, hello: hello, lastHeard: now))
      hosts.note(
        workerCount: workers.all.count { $0.hello.host == hello.host }, on: hello.host)
      counters.joins += 1
      effects.append(.log(.workerJoined(id, host: hello.host, processID: hello.processID)))
    }
    // A hello that is said again is answered again: the first answer may have been lost.
    workers[id].lastHeard = now
    effects.append(.send(.welcome(settings.welcome), to: id))
    if let plan { effects.append(.send(.plan(plan), to: id)) }
  }

  /// Given up earlier, yet alive: its task is another's now.
  func fence(_ id: WorkerID, _ effects: inout [Effect]) {
    if case .over(let end) = mode { return effects.append(.send(.shutdown(end), to: id)) }
    let rejection = Rejection(reason: "the coordinator gave this worker up", isFinal: false)
    effects.append(.send(.reject(rejection), to: id))
  }

  /// The kernels that others are compared with, and whose they are: of the results so far, for
  /// those stay; before the first one, of the workers that are here.
  private var knownKernels: (fingerprint: String, owner: String)? {
    if let first = kernels.first { return (first, "the results so far") }
    return workers.all.first.map { (fingerprint(of: $0.hello), $0.hello.host) }
  }

  /// The kernels that compute in the run's type.
  func fingerprint(of hello: Hello) -> String { hello.kernels(settings.welcome.compute) }

  private func refusal(of hello: Hello) -> Rejection? {
    func final(_ reason: String) -> Rejection { Rejection(reason: reason, isFinal: true) }
    if hello.protocolVersion != Hello.protocolVersion {
      return final(
        "flap-worker \(hello.softwareVersion) on \(hello.host) speaks protocol "
          + "\(hello.protocolVersion), this coordinator \(Hello.protocolVersion): "
          + "install the same version on both")
    }
    if hello.modelDigest != settings.modelDigest {
      return final(
        "the model on \(hello.host) differs (digest \(hello.modelDigest.prefix), "
          + "expected \(settings.modelDigest.prefix)): copy the same checkpoint there")
    }
    if settings.isStrict, let known = knownKernels, known.fingerprint != fingerprint(of: hello) {
      return final(
        "\(hello.host) computes with other kernels (\(fingerprint(of: hello))) than "
          + "\(known.owner) (\(known.fingerprint)): use hosts of one kind, or drop --strict")
    }
    return nil
  }

  mutating func checkLeases(_ now: Instant, _ effects: inout [Effect]) {
    for worker in workers.all {
      let silence = now - worker.lastHeard
      if silence >= settings.deadAfter {
        remove(worker.id, .silent("no heartbeat for \(Int(silence.seconds)) s"), now, &effects)
      } else if let job = worker.job, let limit = progressLimit(of: job),
        now - job.lastProgress >= limit
      {
        let pause = Int((now - job.lastProgress).seconds)
        remove(worker.id, .hung("no progress for \(pause) s"), now, &effects)
      }
    }
  }

  /// Nobody could be heard for a while: that time counts against no one.
  mutating func overlook(_ pause: Duration) {
    for id in workers.all.map(\.id) { workers[id].overlook(pause) }
    aloneSince = aloneSince.map { $0 + pause }
    hosts.noteStall(at: clock)
  }

  /// Forgets a worker, if it is here; its unfinished task goes back to the front of the queue.
  mutating func remove(
    _ id: WorkerID, _ departure: Departure, _ now: Instant, _ effects: inout [Effect]
  ) {
    guard let worker = workers.remove(id) else { return }
    if !departure.isVoluntary {
      counters.losses += 1
      effects.append(.removed(id))
      // It may be alive behind a slow link: it must not go on with work that is another's now.
      effects.append(
        .send(.reject(Rejection(reason: departure.reason, isFinal: false)), to: id))
      effects.append(
        .log(
          .workerLost(
            id, host: worker.hello.host, reason: departure.reason,
            holding: worker.job.map { label(of: $0.attempt) })))
    }
    if let job = worker.job { dropReport(of: job, &effects) }
    if departure.isVoluntary {
      let held = worker.job.map { label(of: $0.attempt) }
      effects.append(
        .log(
          .workerLeft(id, host: worker.hello.host, reason: departure.reason, holding: held)))
      guard let attempt = worker.job?.attempt else { return }
      return noteRequeued(attempt, tasks[attempt.task].release(by: id), &effects)
    }
    noteLoss(of: worker, departure, &effects)
  }

  /// Holds a loss against the worker's host and against the task that it had, unless others were
  /// lost with it.
  private mutating func noteLoss(
    of worker: WorkerRecord, _ departure: Departure, _ effects: inout [Effect]
  ) {
    let host = worker.hello.host
    let task = worker.job?.attempt.task
    let aftermath = task.map { tasks[$0].lose(worker.id) }
    let wasExcluded = isExcluded(host)
    let isInnocent = departure.isSilence && worker.wasSilentBeforeItsTask
    let verdict = hosts.note(
      lossOf: isInnocent || aftermath == .isStored ? nil : task, on: host, at: clock,
      window: settings.jointLossWindow)
    var pardoned: [TaskID] = []
    if case .together(let others) = verdict { pardoned = others }
    if isInnocent || verdict != .blamed, aftermath != .isStored, let task { pardoned.append(task) }
    for task in pardoned { tasks[task].pardonLoss() }
    if !wasExcluded { tellExclusion(of: host, &effects) }
    guard let attempt = worker.job?.attempt, let aftermath else { return }
    let record = tasks[attempt.task]
    if aftermath != .isStored, record.lostWorkerCount >= settings.lostWorkerLimit {
      fail(
        .poisonTask(
          record.id, record.work.name, workerCount: record.lostWorkerCount,
          reason: departure.reason), &effects)
    }
    noteRequeued(attempt, aftermath, &effects)
  }

  /// Says that a host gets no more tasks, if that is so now and there are others.
  mutating func tellExclusion(of host: String, _ effects: inout [Effect]) {
    guard isExcluded(host), workers.all.contains(where: { !isExcluded($0.hello.host) }) else {
      return
    }
    let count = hosts.failedTaskCount(host, at: clock, span: settings.exclusionSpan)
    effects.append(
      .log(
        .hostExcluded(
          HostExclusion(host: host, failedTaskCount: count, span: settings.exclusionSpan))))
  }
}
