import FlapCore

/// Who joins, who stays and who is given up.
extension CoordinatorMachine {
  mutating func join(
    _ id: WorkerID, _ hello: Hello, _ now: Instant, _ effects: inout [Effect]
  ) {
    if workers.hasDeparted(id) { return fence(id, &effects) }
    if workers.find(id) == nil {
      if let refusal = refusal(of: hello) {
        effects.append(.send(.reject(refusal), to: id))
        effects.append(.log(.workerRefused(id, host: hello.host, reason: refusal.reason)))
        return
      }
      if let first = workers.all.first?.hello, first.kernelFingerprint != hello.kernelFingerprint {
        effects.append(.log(.mixedKernels(first.kernelFingerprint, hello.kernelFingerprint)))
      }
      workers.insert(WorkerRecord(id: id, hello: hello, lastHeard: now))
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
    let rejection = Rejection(reason: "the coordinator gave this worker up", isFinal: mode == .over)
    effects.append(.send(.reject(rejection), to: id))
  }

  private func refusal(of hello: Hello) -> Rejection? {
    func final(_ reason: String) -> Rejection { Rejection(reason: reason, isFinal: true) }
    if mode != .working { return final("the run is over") }
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
    if settings.isStrict, let first = workers.all.first?.hello,
      first.kernelFingerprint != hello.kernelFingerprint
    {
      return final(
        "\(hello.host) computes with other kernels (\(hello.kernelFingerprint)) than "
          + "\(first.host) (\(first.kernelFingerprint)): use hosts of one kind, or drop --strict")
    }
    if hosts.isExcluded(hello.host), !workers.isEmpty {
      return final("\(exclusion(of: hello.host))")
    }
    return nil
  }

  mutating func checkLeases(_ now: Instant, _ effects: inout [Effect]) {
    for worker in workers.all {
      let silence = now - worker.lastHeard
      if silence >= settings.deadAfter {
        remove(worker.id, .died("no heartbeat for \(Int(silence.seconds)) s"), now, &effects)
      } else if let job = worker.job, let limit = progressLimit(of: job),
        now - job.lastProgress >= limit
      {
        let pause = Int((now - job.lastProgress).seconds)
        remove(worker.id, .hung("no progress for \(pause) s"), now, &effects)
      }
    }
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
    guard let job = worker.job else { return }
    dropReport(of: job, &effects)
    let task = job.attempt.task
    if departure.isVoluntary {
      return noteRequeued(job.attempt, tasks[task].release(by: id), &effects)
    }
    let aftermath = tasks[task].lose(id)
    if aftermath != .isStored {
      blame(worker.hello.host, for: task, &effects)
      if tasks[task].lostWorkerCount >= settings.lostWorkerLimit {
        let failure = RunFailure.poisonTask(
          task, tasks[task].work.name, workerCount: settings.lostWorkerLimit,
          reason: departure.reason)
        fail(failure, &effects)
      }
    }
    noteRequeued(job.attempt, aftermath, &effects)
  }

  /// Notes that a task failed on a host; a host that fails different tasks is left out, unless
  /// there is no other.
  mutating func blame(_ host: String, for task: TaskID, _ effects: inout [Effect]) {
    let isNew = hosts.note(failureOf: task, on: host, limit: settings.failedTasksPerHost)
    guard isNew, workers.all.contains(where: { !hosts.isExcluded($0.hello.host) }) else { return }
    let exclusion = exclusion(of: host)
    effects.append(.log(.hostExcluded(exclusion)))
    for worker in workers.all where worker.hello.host == host && worker.job == nil {
      _ = workers.remove(worker.id)
      let rejection = Rejection(reason: "\(exclusion)", isFinal: true)
      effects.append(.send(.reject(rejection), to: worker.id))
    }
  }

  private func exclusion(of host: String) -> HostExclusion {
    HostExclusion(host: host, failedTaskCount: settings.failedTasksPerHost)
  }
}
