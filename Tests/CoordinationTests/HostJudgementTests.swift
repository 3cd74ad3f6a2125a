import Coordination
import FlapCore
import FlapTestKit
import Testing

/// What is held against a host and a task, and what is nobody's fault.
struct HostJudgementTests {
  /// A machine with workers that have joined, and what each of them has at the moment.
  struct Run {
    var machine: CoordinatorMachine
    var attempts: [WorkerID: TaskAttempt] = [:]
    var now = Instant.start
    var log: [LogEvent] = []
    var failures: [RunFailure] = []

    init(taskCount: Int, _ settings: CoordinatorSettings = .forTests) {
      machine = CoordinatorMachine(settings: settings)
      let tasks = (0..<taskCount).map {
        CoordinatorMachine.Task(id: TaskID(UInt64($0)), work: .numbered($0))
      }
      tell(.submit(tasks))
    }

    mutating func tell(_ event: CoordinatorMachine.Event) {
      for effect in machine.handle(event, at: now) {
        switch effect {
        case .send(.assign(let assignment), let id): attempts[id] = assignment.attempt
        case .send(.cancel, let id): attempts[id] = nil
        case .log(let event): log.append(event)
        case .failed(let failure): failures.append(failure)
        default: break
        }
      }
      #expect(machine.violations().isEmpty)
    }

    @discardableResult
    mutating func join(_ name: String, on host: String, instance: UInt64? = nil) -> WorkerID {
      let id = WorkerID(bytes: Array(name.utf8))
      tell(
        .received(
          .hello(.forTests(host: host, instance: instance ?? .random(in: .min ... .max))),
          from: id))
      return id
    }

    mutating func lose(_ id: WorkerID) {
      tell(.lost(id, reason: "killed by signal 9"))
      attempts[id] = nil
    }

    mutating func fail(by id: WorkerID) throws {
      let attempt = try #require(attempts[id])
      attempts[id] = nil
      let failure = TaskFailure(attempt: attempt, failureClass: .transient, reason: "disk full")
      tell(.received(.taskFailed(failure), from: id))
    }

    mutating func complete(by id: WorkerID) throws {
      let attempt = try #require(attempts[id])
      attempts[id] = nil
      let begin = ReportBegin(
        attempt: attempt, byteCount: 1, digest: VirtualWork.digest(of: [1]))
      tell(.received(.reportBegin(begin), from: id))
      tell(.received(.reportChunk(ReportChunk(attempt: attempt, offset: 0, bytes: [1])), from: id))
      tell(.received(.reportEnd(attempt), from: id))
      tell(.stored(attempt))
    }

    var exclusions: [HostExclusion] {
      log.compactMap { if case .hostExcluded(let exclusion) = $0 { exclusion } else { nil } }
    }

    var lostCount: Int { log.count { if case .workerLost = $0 { true } else { false } } }
  }

  @Test("a host that fails task after task gets none while another works, and is asked again later")
  func exclusion() throws {
    var run = Run(taskCount: 40)
    let good = run.join("good", on: "good")
    var bad = run.join("bad 0", on: "bad")
    for number in 1...2 {
      run.lose(bad)
      run.now = run.now + .seconds(30)
      // The task that was lost goes to the good host, so that the bad one fails another.
      try run.complete(by: good)
      bad = run.join("bad \(number)", on: "bad")
    }
    let exclusion = HostExclusion(host: "bad", failedTaskCount: 2, span: .seconds(600))
    #expect(run.exclusions == [exclusion])
    #expect(
      "\(exclusion)"
        == "bad is left out for 10 min while others work: 2 different tasks failed there")
    // It belongs to the run all the same, and waits.
    #expect(run.machine.workerCount == 2 && run.attempts[bad] == nil)
    // With nobody else left it is better than nothing.
    run.lose(good)
    #expect(run.attempts[bad] != nil)
    // What is long ago does not count any more.
    let late = run.join("late", on: "good")
    try run.complete(by: bad)
    #expect(run.attempts[bad] == nil && run.attempts[late] != nil)
    run.now = run.now + .seconds(600)
    run.tell(.received(.heartbeat(.idle), from: bad))
    #expect(run.attempts[bad] != nil)
    #expect(run.failures.isEmpty)
  }

  @Test("a straggler that only a host left out could try is no reason for a timer")
  func stragglerWithoutCandidate() throws {
    var run = Run(taskCount: 5)
    let bad = run.join("bad", on: "bad")
    let good = run.join("good", on: "good")
    try run.fail(by: bad)
    try run.fail(by: bad)
    #expect(run.exclusions.count == 1)
    run.now = run.now + .seconds(1)
    for _ in 0..<4 { try run.complete(by: good) }
    // One second is usual for a task: after three the last one is a straggler.
    run.now = run.now + .seconds(5)
    run.tell(.timer)
    #expect(run.attempts[good] != nil && run.machine.counters.speculations == 0)
    #expect(try #require(run.machine.nextTimer) > run.now)
  }

  @Test(
    "each worker of a host lost once is little for a host of many, and nothing for the only one")
  func losses() {
    var run = Run(taskCount: 40)
    let workers = (0..<4).map { run.join("w\($0)", on: "big") }
    run.join("other", on: "other")
    for worker in workers {
      run.now = run.now + .seconds(30)
      run.lose(worker)
      run.join("\(worker) again", on: "big")
    }
    #expect(run.exclusions.isEmpty)
    // Workers and hosts come back, and get tasks.
    #expect(run.attempts.count == 5)

    var settings = CoordinatorSettings.forTests
    settings.lostWorkerLimit = 100
    var alone = Run(taskCount: 40, settings)
    for number in 0..<6 {
      let worker = alone.join("w\(number)", on: "only")
      #expect(alone.attempts[worker] != nil)
      alone.now = alone.now + .seconds(30)
      alone.lose(worker)
    }
    #expect(alone.exclusions.isEmpty)
  }

  @Test("losses of several hosts in the same moments blame neither hosts nor tasks")
  func jointLosses() {
    var run = Run(taskCount: 3)
    run.join("other", on: "other")
    for round in 0..<5 {
      let pair = [run.join("a\(round)", on: "a"), run.join("b\(round)", on: "b")]
      #expect(run.attempts[pair[0]] != nil && run.attempts[pair[1]] != nil)
      for worker in pair {
        run.lose(worker)
        run.now = run.now + .seconds(1)
      }
      run.now = run.now + .seconds(30)
    }
    #expect(run.lostCount == 10)
    #expect(run.exclusions.isEmpty && run.failures.isEmpty)
  }

  @Test("one task that takes workers of several hosts down within moments is to blame itself")
  func poisonTask() {
    var run = Run(taskCount: 1)
    for number in 0..<3 {
      #expect(run.failures.isEmpty)
      run.lose(run.join("w\(number)", on: "host \(number)"))
    }
    #expect(run.failures.count == 1)
  }

  @Test("a task that goes from one silent worker to the next takes none of them down")
  func silentBefore() {
    var run = Run(taskCount: 1)
    let workers = (0..<4).map { run.join("w\($0)", on: "host \($0)") }
    // Nobody is heard any more, one after the other; their leases end in that order.
    for worker in workers {
      run.now = run.now + .milliseconds(500)
      run.tell(.received(.heartbeat(.idle), from: worker))
    }
    run.now = run.now + .seconds(8)
    for number in 1...4 {
      run.now = run.now + .milliseconds(500)
      run.tell(.timer)
      #expect(run.lostCount == number)
    }
    #expect(run.failures.isEmpty && run.exclusions.isEmpty)
    // One that took the task and is not heard after it is another matter.
    run = Run(taskCount: 1)
    for number in 0..<3 {
      let worker = run.join("w\(number)", on: "host \(number)")
      run.now = run.now + .seconds(1)
      if let attempt = run.attempts[worker] {
        run.tell(.received(.accepted(attempt), from: worker))
      }
      run.now = run.now + .seconds(20)
      run.tell(.timer)
    }
    #expect(run.failures.count == 1)
  }

  @Test("when the coordinator stood still, nobody was silent and nothing hung")
  func stall() throws {
    var run = Run(taskCount: 8)
    let workers = (0..<4).map { run.join("w\($0)", on: "host \($0)") }
    run.now = run.now + .seconds(60)
    run.tell(.stalled(.seconds(60)))
    run.tell(.timer)
    #expect(run.machine.workerCount == 4 && run.lostCount == 0)
    // One of them has ended meanwhile: it had taken the coordinator for gone.
    for round in 0..<3 {
      let gone = run.join("gone \(round)", on: "host 0")
      run.now = run.now + .seconds(60)
      run.tell(.stalled(.seconds(60)))
      run.lose(gone)
    }
    #expect(run.exclusions.isEmpty && run.failures.isEmpty)
    let lostBefore = run.lostCount
    // Who does not speak afterwards is dead as ever.
    run.now = run.now + .seconds(9)
    for worker in workers.dropLast() { run.tell(.received(.heartbeat(.idle), from: worker)) }
    run.now = run.now + .seconds(1)
    run.tell(.timer)
    #expect(run.machine.workerCount == 3 && run.lostCount == lostBefore + 1)
  }

  @Test("a worker that joins again gives back what it had under its earlier name, without blame")
  func joiningAgain() {
    var run = Run(taskCount: 1)
    for number in 0..<5 {
      let worker = run.join("w\(number)", on: "host", instance: 7)
      #expect(run.attempts[worker]?.attempt == number + 1)
      #expect(run.machine.workerCount == 1)
    }
    #expect(run.lostCount == 0 && run.failures.isEmpty)
  }

  @Test("polite preemptions, however many, end no run and are held against nobody")
  func goodbyes() {
    var run = Run(taskCount: 1)
    run.join("other", on: "other")
    for number in 0..<6 {
      let holder = run.attempts.keys.first!
      run.tell(.received(.bye(reason: "it was asked to (SIGTERM)"), from: holder))
      run.attempts[holder] = nil
      run.join("w\(number)", on: "host")
      #expect(run.attempts.count == 1)
    }
    #expect(run.lostCount == 0 && run.exclusions.isEmpty && run.failures.isEmpty)
    let left = run.log.filter { if case .workerLeft = $0 { true } else { false } }
    #expect(left.count == 6 && !left[0].isWarning)
  }

  @Test("a task that a host cannot do is another host's, even when only the first is idle")
  func failedElsewhere() throws {
    var run = Run(taskCount: 2)
    let full = run.join("full", on: "full")
    let busy = run.join("busy", on: "busy")
    let task = try #require(run.attempts[full]).task
    try run.fail(by: full)
    #expect(run.attempts[full] == nil)
    try run.complete(by: busy)
    #expect(run.attempts[busy]?.task == task)
    // The only host tries again.
    var alone = Run(taskCount: 1)
    let only = alone.join("w", on: "only")
    try alone.fail(by: only)
    #expect(alone.attempts[only]?.attempt == 2)
  }

  // MARK: Kernels

  @Test("kernels that differ are told; with --strict who has them is refused")
  func mixedKernels() {
    for isStrict in [false, true] {
      var settings = CoordinatorSettings.forTests
      settings.isStrict = isStrict
      var run = Run(taskCount: 2, settings)
      run.join("a", on: "first")
      run.tell(
        .received(
          .hello(.forTests(host: "second", kernels: "other")), from: WorkerID(bytes: [1])))
      #expect(run.machine.workerCount == (isStrict ? 1 : 2))
      #expect(run.log.contains(.mixedKernels("k", "other")) == !isStrict)
    }
  }

  @Test("kernels are compared with those of the results so far, also after a resumption")
  func earlierKernels() throws {
    var run = Run(taskCount: 3)
    let first = run.join("a", on: "first")
    try run.complete(by: first)
    run.lose(first)
    // Nobody is here any more, but what was computed stays.
    run.tell(
      .received(.hello(.forTests(host: "second", kernels: "other")), from: WorkerID(bytes: [1])))
    #expect(run.log.contains(.mixedKernels("k", "other")))
    #expect(run.machine.kernels == ["k"])

    var settings = CoordinatorSettings.forTests
    settings.isStrict = true
    settings.earlierKernels = ["k"]
    var resumed = Run(taskCount: 3, settings)
    resumed.tell(
      .received(.hello(.forTests(host: "second", kernels: "other")), from: WorkerID(bytes: [1])))
    #expect(resumed.machine.workerCount == 0)
    guard case .workerRefused(_, _, let reason) = resumed.log.last else {
      Issue.record("nobody was refused")
      return
    }
    #expect(
      reason
        == "second computes with other kernels (other) than the results so far (k): use hosts of "
        + "one kind, or drop --strict")
  }

  @Test("of what a worker has, the kernels of the run's type count")
  func kernelsOfAType() {
    var run = Run(taskCount: 1)
    let both = "avx512/avx512/f32 avx512/amx-bf16/bf16"
    run.tell(.received(.hello(.forTests(host: "a", kernels: both)), from: WorkerID(bytes: [1])))
    let other = "avx512/avx512/f32 avx512/avx512-bf16/bf16"
    run.tell(.received(.hello(.forTests(host: "b", kernels: other)), from: WorkerID(bytes: [2])))
    #expect(!run.log.contains { if case .mixedKernels = $0 { true } else { false } })
  }
}
