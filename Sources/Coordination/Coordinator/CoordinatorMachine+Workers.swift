import FlapCore

/// Who joins, who stays and who is given up.
extension CoordinatorMachine {
  /// Why a worker is removed.
  enum Departure {
    /// Its process ended or its lease did.
    case died(String)
    /// It beats but its work does not move.
    case hung(String)
    /// It broke the protocol.
    case misbehaved(String)
    /// It said goodbye.
    case left(String)

    var reason: String {
      switch self {
      case .died(let reason), .hung(let reason), .misbehaved(let reason), .left(let reason):
        reason
      }
    }
  }

  mutating func join(
    _ id: WorkerID, _ hello: Hello, _ now: Instant, _ effects: inout [Effect]
  ) {
    if let refusal = refusal(of: hello) {
      effects.append(.send(.reject(reason: refusal), to: id))
      effects.append(.log(.workerRefused(id, host: hello.host, reason: refusal)))
      return
    }
    if workers[id] == nil {
      if let first = workers.all.first?.hello, first.kernelFingerprint != hello.kernelFingerprint {
        effects.append(.log(.mixedKernels(first.kernelFingerprint, hello.kernelFingerprint)))
      }
      workers.insert(WorkerRecord(id: id, hello: hello, lastHeard: now))
      effects.append(.log(.workerJoined(id, host: hello.host, processID: hello.processID)))
    }
    // A hello that is said again is answered again: the first answer may have been lost.
    effects.append(.send(.welcome(settings.welcome), to: id))
    if let plan { effects.append(.send(.plan(plan), to: id)) }
  }

  private func refusal(of hello: Hello) -> String? {
    if isOver { return "the run is over" }
    if hello.protocolVersion != Hello.protocolVersion {
      return "flap-worker \(hello.softwareVersion) on \(hello.host) speaks protocol "
        + "\(hello.protocolVersion), this coordinator \(Hello.protocolVersion): "
        + "install the same version on both"
    }
    if hello.modelDigest != settings.modelDigest {
      return "the model on \(hello.host) differs (digest \(hello.modelDigest.prefix), "
        + "expected \(settings.modelDigest.prefix)): copy the same checkpoint there"
    }
    return nil
  }

  mutating func checkLeases(_ now: Instant, _ effects: inout [Effect]) {
    for worker in workers.all {
      let silence = now - worker.lastHeard
      if silence >= settings.deadAfter {
        remove(
          worker.id, .died("no heartbeat for \(Int(silence.seconds)) s"), tellingIt: true, &effects)
      } else if case .working(let job) = worker.state,
        now - job.lastProgress >= settings.hungAfter
      {
        let pause = Int((now - job.lastProgress).seconds)
        remove(worker.id, .hung("no progress for \(pause) s"), tellingIt: true, &effects)
      }
    }
  }

  /// Forgets a worker and puts its unfinished task back at the front of the queue.
  mutating func remove(
    _ id: WorkerID, _ departure: Departure, tellingIt: Bool, _ effects: inout [Effect]
  ) {
    guard let worker = workers.remove(id) else { return }
    if tellingIt {
      // It may be alive behind a slow link: it must not go on with work that is another's now.
      effects.append(.send(.reject(reason: departure.reason), to: id))
    }
    effects.append(.log(.workerLost(id, host: worker.hello.host, reason: departure.reason)))
    guard let attempt = worker.currentAttempt else { return }
    switch departure {
    case .left: requeue(attempt, &effects)
    case .died, .hung, .misbehaved:
      tasks[attempt.task]!.lostWorkerCount += 1
      if tasks[attempt.task]!.lostWorkerCount >= settings.lostWorkerLimit {
        fail(
          .poisonTask(attempt.task, tasks[attempt.task]!.work.name, reason: departure.reason),
          &effects)
      }
      requeue(attempt, &effects)
    }
  }

  /// The attempt came to nothing: its task waits again, unless its result is already here.
  mutating func requeue(_ attempt: TaskAttempt, _ effects: inout [Effect]) {
    guard tasks[attempt.task]!.state == .running else { return }
    tasks[attempt.task]!.state = .pending
    pending.insert(attempt.task, at: 0)
    effects.append(.log(.taskRequeued(attempt, tasks[attempt.task]!.work.name)))
  }
}

extension Digest {
  /// Enough digits for a person to compare.
  var prefix: String { String(hexadecimal.prefix(12)) }
}
