import Coordination
import FlapCore
import FlapTestKit
import Statistics
import Testing

/// The coordinator's answers to single events, in the order in which a run meets them.
struct CoordinatorMachineTests {
  let worker = WorkerID(bytes: Array("a".utf8))
  let other = WorkerID(bytes: Array("b".utf8))
  let task = TaskID(0)
  let result = VirtualWork.result(of: .numbered(0))

  @Test("a worker is welcomed, then given the waiting task")
  func joinAndAssign() {
    var machine = CoordinatorMachine(settings: .forTests)
    #expect(machine.handle(.submit([.init(id: task, work: .numbered(0))]), at: .start).isEmpty)
    let effects = machine.handle(.received(.hello(.forTests), from: worker), at: .start)
    #expect(effects.contains(.send(.welcome(machine.settings.welcome), to: worker)))
    #expect(effects.last == .send(.assign(first), to: worker))
  }

  @Test("another model, another protocol: refused for good with a reason that names both")
  func refusals() {
    var machine = CoordinatorMachine(settings: .forTests)
    var hello = Hello.forTests
    hello.modelDigest = VirtualWork.digest(of: [9])
    let rejected = rejection(machine.handle(.received(.hello(hello), from: worker), at: .start))
    #expect(rejected?.reason.contains("model on host differs") == true)
    #expect(rejected?.isFinal == true)
    hello = .forTests
    hello.protocolVersion = 99
    let version = rejection(machine.handle(.received(.hello(hello), from: worker), at: .start))
    #expect(version?.reason.contains("speaks protocol 99") == true)
    #expect(machine.workerCount == 0)
  }

  @Test("a result is acknowledged only after it was stored")
  func acknowledgementFollowsStoring() {
    var machine = running()
    let effects = deliver(result, to: &machine)
    let digest = VirtualWork.digest(of: result)
    #expect(
      effects == [
        .computed(by: "k"),
        .store(
          first.attempt, .received(byteCount: result.count, digest), ModelClaim(worker, [])),
      ])
    let after = machine.handle(.stored(first.attempt), at: .start)
    #expect(
      after == [
        .log(.taskStored(AttemptLabel(first.attempt, first.work.name))),
        .send(.reportAcknowledged(first.attempt), to: worker), .completed,
      ])
  }

  @Test("a report that does not match its digest is tried again")
  func damagedReport() {
    var machine = running()
    _ = deliver(result, to: &machine)
    let effects = machine.handle(.refused(first.attempt, reason: "damaged"), at: .start)
    #expect(effects.contains(.send(.cancel(first.attempt), to: worker)))
    #expect(assignments(effects).map(\.attempt) == [TaskAttempt(task: task, attempt: 2)])
    #expect(machine.violations().isEmpty)
  }

  @Test("an evaluation by a plan that is tried again brings the plan along; one without does not")
  func missedPlan() {
    let digest = VirtualWork.digest(of: [1])
    let plan = PlanBroadcast(
      outputDirectory: nil, maximumShardBytes: 1, digest: digest, payload: [1])
    for isPruned in [true, false] {
      guard case .measureSamples(let kinds, let unit, _) = Work.numbered(0) else {
        Issue.record("the numbered work is no evaluation")
        return
      }
      let work = Work.measureSamples(kinds, unit, plan: isPruned ? digest : nil)
      var machine = CoordinatorMachine(settings: .forTests)
      _ = machine.handle(.received(.hello(.forTests), from: worker), at: .start)
      let sent = machine.handle(.plan(plan), at: .start)
      #expect(sent == [.send(.plan(plan), to: worker)])
      _ = machine.handle(.submit([.init(id: task, work: work)]), at: .start)
      let failed = TaskFailure(attempt: first.attempt, failureClass: .transient, reason: "x")
      let again = machine.handle(.received(.taskFailed(failed), from: worker), at: .start)
      #expect(assignments(again).map(\.work) == [work])
      #expect(again.contains(.send(.plan(plan), to: worker)) == isPruned)
    }
  }

  @Test(
    "a chunk out of order, an early end or a report too large removes the worker",
    arguments: 0..<3)
  func misbehaviour(kind: Int) {
    var machine = running()
    let count = kind == 2 ? machine.settings.maximumReportBytes + 1 : 8
    let begin = ReportBegin(attempt: first.attempt, byteCount: count, digest: .zero)
    var effects = machine.handle(.received(.reportBegin(begin), from: worker), at: .start)
    if kind == 0 {
      let chunk = ReportChunk(attempt: first.attempt, offset: 4, bytes: [1])
      effects = machine.handle(.received(.reportChunk(chunk), from: worker), at: .start)
    } else if kind == 1 {
      effects = machine.handle(.received(.reportEnd(first.attempt), from: worker), at: .start)
    }
    #expect(rejection(effects) != nil)
    #expect(machine.workerCount == 0)
    #expect(machine.violations().isEmpty)
  }

  @Test("a report that comes again while the first is being stored changes nothing")
  func replayWhileStoring() {
    var machine = running()
    _ = deliver(result, to: &machine)
    #expect(deliver(result, to: &machine).isEmpty)
    #expect(machine.workerCount == 1)
    let after = machine.handle(.stored(first.attempt), at: .start)
    #expect(after.last == .completed)
  }

  @Test("a replayed report of an earlier attempt changes nothing")
  func replay() {
    var machine = running()
    let failed = TaskFailure(attempt: first.attempt, failureClass: .transient, reason: "x")
    _ = machine.handle(.received(.taskFailed(failed), from: worker), at: .start)
    #expect(deliver(result, to: &machine).isEmpty)
    #expect(machine.progress.completedTasks == 0)
  }

  @Test("how far a phase is goes by what its tasks cost, whatever was before")
  func phaseFraction() {
    var machine = running()
    _ = deliver(result, to: &machine)
    _ = machine.handle(.stored(first.attempt), at: .start)
    #expect(machine.phaseFraction(at: .start) == 1)
    let tasks = [1.0, 7.0].enumerated().map {
      CoordinatorMachine.Task(
        id: TaskID(UInt64(10 + $0.offset)), work: .numbered(1 + $0.offset), cost: $0.element)
    }
    let cheap = assignments(machine.handle(.submit(tasks), at: .start))[0].attempt
    #expect(machine.phaseFraction(at: .start) == 0)
    _ = finish(cheap, by: worker, &machine, .start)
    let dear = assignments(machine.handle(.stored(cheap), at: .start))[0].attempt
    #expect(machine.phaseFraction(at: .start) == 0.125)
    let beat = Heartbeat(
      attempt: dear, completedSteps: 2, totalSteps: 4, residentBytes: 0, peakResidentBytes: 0)
    _ = machine.handle(.received(.heartbeat(beat), from: worker), at: .start)
    #expect(machine.phaseFraction(at: .start) == 0.5625)
  }

  @Test("silence for ten seconds is death: the task goes to another worker, the dead is fenced")
  func silence() {
    var machine = running()
    _ = machine.handle(.received(.hello(.forTests), from: other), at: .start + .seconds(9))
    let effects = machine.handle(.timer, at: .start + .seconds(10))
    #expect(
      rejection(effects) == Rejection(reason: "no heartbeat for 10 s", isFinal: false))
    #expect(assignments(effects).map(\.attempt) == [TaskAttempt(task: task, attempt: 2)])
    let late = machine.handle(
      .received(.accepted(first.attempt), from: worker), at: .start + .seconds(11))
    #expect(rejection(late)?.isFinal == false)
    // Its hello, said again under the old name, does not bring it back.
    let again = machine.handle(
      .received(.hello(.forTests), from: worker), at: .start + .seconds(11))
    #expect(rejection(again) != nil && machine.workerCount == 1)
  }

  @Test("a worker that beats without progress is hung, later when nobody knows the pace yet")
  func hung() {
    for (steps, limit) in [(0, 100), (1, 25)] {
      var machine = running()
      var now = Instant.start
      var effects: [CoordinatorMachine.Effect] = []
      for second in 1...limit + 1 {
        now = .start + .seconds(second)
        let beat = Heartbeat(
          attempt: first.attempt, completedSteps: steps, totalSteps: 4, residentBytes: 0,
          peakResidentBytes: 0)
        effects = machine.handle(.received(.heartbeat(beat), from: worker), at: now)
        if machine.nextTimer! <= now { effects = machine.handle(.timer, at: now) }
        if rejection(effects) != nil { break }
      }
      // With a step done in the first second, the pause begins there.
      #expect(now == .start + .seconds(steps == 0 ? limit : limit + 1))
      #expect(rejection(effects)?.reason == "no progress for \(limit) s")
    }
  }

  @Test("steps that are told together, after a pause longer than the limit, are no reason to doubt")
  func bursts() {
    var machine = running()
    for second in 1...400 {
      let beat = Heartbeat(
        attempt: first.attempt, completedSteps: second / 40 * 16, totalSteps: 160, residentBytes: 0,
        peakResidentBytes: 0)
      let now = Instant.start + .seconds(second)
      var effects = machine.handle(.received(.heartbeat(beat), from: worker), at: now)
      if machine.nextTimer! <= now { effects += machine.handle(.timer, at: now) }
      #expect(rejection(effects) == nil, "after \(second) s")
    }
  }

  @Test("a task that takes so many workers down ends the run and says so", arguments: [2, 3])
  func poison(limit: Int) {
    var settings = CoordinatorSettings.forTests
    settings.lostWorkerLimit = limit
    var machine = CoordinatorMachine(settings: settings)
    _ = machine.handle(.submit([.init(id: task, work: .numbered(0))]), at: .start)
    var last: [CoordinatorMachine.Effect] = []
    for index in 0..<limit {
      #expect(failure(last) == nil)
      let id = WorkerID(bytes: [UInt8(97 + index)])
      _ = machine.handle(.received(.hello(.forTests), from: id), at: .start)
      last = machine.handle(.lost(id, reason: "killed by signal 9"), at: .start)
    }
    #expect(failure(last)?.description.contains("took \(limit) workers down") == true)
  }

  @Test("bad input ends the run at once; a passing failure only after four tries")
  func failures() {
    var machine = running()
    var failed = TaskFailure(
      attempt: first.attempt, failureClass: .permanent, reason: "token 99 is outside")
    let effects = machine.handle(.received(.taskFailed(failed), from: worker), at: .start)
    #expect(failure(effects) == .permanent("token 99 is outside"))

    machine = running()
    for attempt in 1...4 {
      failed = TaskFailure(
        attempt: TaskAttempt(task: task, attempt: attempt), failureClass: .transient, reason: "x")
      let effects = machine.handle(.received(.taskFailed(failed), from: worker), at: .start)
      #expect((failure(effects) != nil) == (attempt == 4))
    }
  }

  @Test("at the end of a phase a straggler's task is tried elsewhere; the first result counts")
  func speculation() {
    var machine = CoordinatorMachine(settings: .forTests)
    let count = 12
    _ = machine.handle(
      .submit((0..<count).map { .init(id: TaskID(UInt64($0)), work: .numbered($0)) }), at: .start)
    let slow = machine.handle(.received(.hello(.forTests), from: worker), at: .start)
    let straggler = assignments(slow)[0].attempt
    var effects = machine.handle(.received(.hello(.forTests), from: other), at: .start)
    var now = Instant.start
    for _ in 0..<count - 1 {
      now = now + .seconds(1)
      let attempt = assignments(effects)[0].attempt
      _ = finish(attempt, by: other, &machine, now)
      effects = machine.handle(.stored(attempt), at: now)
    }
    // The usual task took one second: after three the last one counts as a straggler.
    let doubled = TaskAttempt(task: straggler.task, attempt: 2)
    #expect(assignments(effects).map(\.attempt) == [doubled])
    _ = finish(straggler, by: worker, &machine, now)
    let end = machine.handle(.stored(straggler), at: now)
    #expect(end.contains(.send(.cancel(doubled), to: other)))
    #expect(end.last == .completed)
    #expect(machine.violations().isEmpty)
  }

  @Test("a second result with other bits is told, and ends a strict run", arguments: [true, false])
  func differentBits(isStrict: Bool) {
    var settings = CoordinatorSettings.forTests
    settings.isStrict = isStrict
    settings.stragglerFactor = 0
    settings.phaseEndDivisor = 1
    var machine = running(settings)
    // The pace is known from one task before.
    machine = CoordinatorMachine(settings: settings)
    _ = machine.handle(
      .submit((0..<2).map { .init(id: TaskID(UInt64($0)), work: .numbered($0)) }), at: .start)
    let begun = machine.handle(.received(.hello(.forTests), from: worker), at: .start)
    let warm = assignments(begun)[0].attempt
    _ = finish(warm, by: worker, &machine, .start)
    let next = assignments(machine.handle(.stored(warm), at: .start))[0].attempt
    let second = assignments(
      machine.handle(.received(.hello(.forTests), from: other), at: .start))[0].attempt
    #expect(second == TaskAttempt(task: next.task, attempt: 2))
    _ = finish(next, by: worker, &machine, .start)
    let begin = ReportBegin(attempt: second, byteCount: 1, digest: VirtualWork.digest(of: [7]))
    _ = machine.handle(.received(.reportBegin(begin), from: other), at: .start)
    let effects = machine.handle(.stored(next), at: .start)
    #expect(effects.contains { if case .log(.resultsDiffer) = $0 { true } else { false } })
    #expect((failure(effects) != nil) == isStrict)
  }

  @Test("what one worker cannot fetch another may have: that is no doubt about bits")
  func differentMerges() {
    var settings = CoordinatorSettings.forTests
    settings.isStrict = true
    settings.stragglerFactor = 0
    settings.phaseEndDivisor = 1
    var machine = CoordinatorMachine(settings: settings)
    let tasks = TapPlace.all(in: 0..<1).map { place in
      CoordinatorMachine.Task(
        id: TaskID(UInt64(place.step)),
        work: .merge(
          SumMerge(
            place, of: .dense(data: .zero), exponents: [], [], tokenCount: 1, heldOutTokenCount: 0,
            to: "\(place.step)")))
    }
    _ = machine.handle(.submit(tasks), at: .start)
    let begun = machine.handle(.received(.hello(.forTests), from: worker), at: .start)
    let warm = assignments(begun)[0].attempt
    _ = finish(warm, by: worker, &machine, .start)
    let next = assignments(machine.handle(.stored(warm), at: .start))[0].attempt
    let second = assignments(
      machine.handle(.received(.hello(.forTests), from: other), at: .start))[0].attempt
    #expect(second == TaskAttempt(task: next.task, attempt: 2))
    // One lacks a sum that it asked a silent worker for; the other holds it.
    _ = finish(next, by: worker, &machine, .start, bytes: [0, 7])
    let begin = ReportBegin(attempt: second, byteCount: 1, digest: VirtualWork.digest(of: [7]))
    _ = machine.handle(.received(.reportBegin(begin), from: other), at: .start)
    let effects = machine.handle(.stored(next), at: .start)
    #expect(!effects.contains { if case .log(.resultsDiffer) = $0 { true } else { false } })
    #expect(failure(effects) == nil)
  }

  @Test("reports come in only as far as the budget goes")
  func receiveBudget() {
    var settings = CoordinatorSettings.forTests
    settings.receiveBudgetBytes = 100
    var machine = CoordinatorMachine(settings: settings)
    _ = machine.handle(
      .submit((0..<2).map { .init(id: TaskID(UInt64($0)), work: .numbered($0)) }), at: .start)
    let one = assignments(machine.handle(.received(.hello(.forTests), from: worker), at: .start))
    let two = assignments(machine.handle(.received(.hello(.forTests), from: other), at: .start))
    func begin(_ attempt: TaskAttempt, _ id: WorkerID) -> [CoordinatorMachine.Effect] {
      let begin = ReportBegin(attempt: attempt, byteCount: 60, digest: .zero)
      return machine.handle(.received(.reportBegin(begin), from: id), at: .start)
    }
    let credit = CoordinatorMessage.credit(one[0].attempt, chunks: 4)
    #expect(begin(one[0].attempt, worker) == [.send(credit, to: worker)])
    #expect(begin(two[0].attempt, other).isEmpty)
    // A worker that waits for the coordinator is not hung; when the first is gone, it is its turn.
    let effects = machine.handle(.lost(worker, reason: "x"), at: .start)
    #expect(effects.contains(.send(.credit(two[0].attempt, chunks: 4), to: other)))
  }

  @Test("drained: work at hand is stored, nothing else is begun")
  func drain() {
    var machine = CoordinatorMachine(settings: .forTests)
    _ = machine.handle(
      .submit((0..<2).map { .init(id: TaskID(UInt64($0)), work: .numbered($0)) }), at: .start)
    let begun = machine.handle(.received(.hello(.forTests), from: worker), at: .start)
    #expect(machine.handle(.drain, at: .start) == [.send(.drain, to: worker)])
    let attempt = assignments(begun)[0].attempt
    _ = finish(attempt, by: worker, &machine, .start)
    let effects = machine.handle(.stored(attempt), at: .start)
    #expect(
      effects == [
        .log(.taskStored(AttemptLabel(attempt, assignments(begun)[0].work.name))),
        .send(.reportAcknowledged(attempt), to: worker), .drained,
      ])
  }

  @Test("answers that were lost are said again")
  func lostAnswers() {
    var machine = running()
    // The worker never heard of its task.
    var effects: [CoordinatorMachine.Effect] = []
    for _ in 0..<machine.settings.idleBeatLimit {
      effects = machine.handle(.received(.heartbeat(.idle), from: worker), at: .start)
    }
    let second = assignments(effects)[0]
    #expect(second.attempt == TaskAttempt(task: task, attempt: 2) && second.serial == 2)
    // The worker still holds the first attempt: it is told that it may stop.
    var beat = Heartbeat.idle
    beat.attempt = first.attempt
    effects = machine.handle(.received(.heartbeat(beat), from: worker), at: .start)
    #expect(effects.contains(.send(.cancel(first.attempt), to: worker)))
  }

  @Test("a run that nobody joins ends")
  func loneliness() {
    var machine = CoordinatorMachine(settings: .forTests)
    _ = machine.handle(.submit([.init(id: task, work: .numbered(0))]), at: .start)
    #expect(machine.nextTimer == .start + .seconds(600))
    let effects = machine.handle(.timer, at: .start + .seconds(600))
    #expect(failure(effects) == .noWorkers(after: .seconds(600)))
  }
}
