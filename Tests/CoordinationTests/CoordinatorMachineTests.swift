import Coordination
import FlapCore
import FlapTestKit
import Testing

/// The coordinator's answers to single events, in the order in which a run meets them.
struct CoordinatorMachineTests {
  let worker = WorkerID(bytes: Array("a".utf8))
  let other = WorkerID(bytes: Array("b".utf8))
  let task = TaskID(0)

  @Test("a worker is welcomed, then given the waiting task")
  func joinAndAssign() {
    var machine = CoordinatorMachine(settings: .forTests)
    #expect(machine.handle(.submit([.init(id: task, work: .numbered(0))]), at: .start).isEmpty)
    let effects = machine.handle(.received(.hello(.forTests), from: worker), at: .start)
    #expect(effects.contains(.send(.welcome(machine.settings.welcome), to: worker)))
    #expect(effects.last == .send(.assign(first), to: worker))
  }

  @Test("another model, another protocol: refused with a reason that names both")
  func refusals() {
    var machine = CoordinatorMachine(settings: .forTests)
    var hello = Hello.forTests
    hello.modelDigest = VirtualCluster.digest(of: [9])
    let reason = rejection(machine.handle(.received(.hello(hello), from: worker), at: .start))
    #expect(reason?.contains("model on host differs") == true)
    hello = .forTests
    hello.protocolVersion = 99
    let version = rejection(machine.handle(.received(.hello(hello), from: worker), at: .start))
    #expect(version?.contains("speaks protocol 99") == true)
    #expect(machine.workerCount == 0)
  }

  @Test("a result is acknowledged only after it was stored")
  func acknowledgementFollowsStoring() {
    var machine = running()
    let effects = deliver(VirtualCluster.result(of: task), by: worker, to: &machine)
    #expect(effects == [.store(task, .report(VirtualCluster.result(of: task)))])
    let after = machine.handle(.stored(task), at: .start)
    #expect(after == [.send(.reportAcknowledged(first.attempt), to: worker), .completed])
  }

  @Test("a report that does not match its digest is not stored; the task is tried again")
  func damagedReport() {
    var machine = running()
    let bytes: [UInt8] = [1, 2, 3]
    let begin = ReportBegin(
      attempt: first.attempt, byteCount: 3, digest: VirtualCluster.digest(of: [1, 2, 4]))
    _ = machine.handle(.received(.reportBegin(begin), from: worker), at: .start)
    let chunk = ReportChunk(attempt: first.attempt, offset: 0, bytes: bytes)
    _ = machine.handle(.received(.reportChunk(chunk), from: worker), at: .start)
    let effects = machine.handle(.received(.reportEnd(first.attempt), from: worker), at: .start)
    #expect(!effects.contains { if case .store = $0 { true } else { false } })
    let second = Assignment(attempt: TaskAttempt(task: task, attempt: 2), work: .numbered(0))
    #expect(effects.last == .send(.assign(second), to: worker))
  }

  @Test(
    "a chunk out of order, or a report too large, removes the worker", arguments: [true, false])
  func misbehaviour(outOfOrder: Bool) {
    var machine = running()
    let count = outOfOrder ? 8 : machine.settings.maximumReportBytes + 1
    let begin = ReportBegin(
      attempt: first.attempt, byteCount: count, digest: VirtualCluster.digest(of: []))
    var effects = machine.handle(.received(.reportBegin(begin), from: worker), at: .start)
    if outOfOrder {
      let chunk = ReportChunk(attempt: first.attempt, offset: 4, bytes: [1])
      effects = machine.handle(.received(.reportChunk(chunk), from: worker), at: .start)
    }
    #expect(rejection(effects) != nil)
    #expect(machine.workerCount == 0)
    #expect(machine.violations().isEmpty)
  }

  @Test("silence for ten seconds is death: the task goes to another worker, the dead is fenced")
  func silence() {
    var machine = running()
    _ = machine.handle(.received(.hello(.forTests), from: other), at: .start + .seconds(9))
    let effects = machine.handle(.timer, at: .start + .seconds(10))
    #expect(rejection(effects) == "no heartbeat for 10 s")
    let second = Assignment(attempt: TaskAttempt(task: task, attempt: 2), work: .numbered(0))
    #expect(effects.last == .send(.assign(second), to: other))
    let late = machine.handle(
      .received(.accepted(first.attempt), from: worker), at: .start + .seconds(11))
    #expect(rejection(late) != nil)
  }

  @Test("a worker that beats without progress is hung")
  func hung() {
    var machine = running()
    var now = Instant.start
    var effects: [CoordinatorMachine.Effect] = []
    let heartbeat = Heartbeat(
      attempt: first.attempt, completedSteps: 0, totalSteps: 4, residentBytes: 0,
      peakResidentBytes: 0)
    while now - .start < machine.settings.hungAfter {
      now = now + .seconds(1)
      effects = machine.handle(.received(.heartbeat(heartbeat), from: worker), at: now)
      #expect(effects == [.send(.leaseRenewed, to: worker)])
    }
    effects = machine.handle(.timer, at: now)
    #expect(rejection(effects) == "no progress for 120 s")
  }

  @Test("a task that takes three workers down ends the run and says so")
  func poison() {
    var machine = CoordinatorMachine(settings: .forTests)
    _ = machine.handle(.submit([.init(id: task, work: .numbered(0))]), at: .start)
    var last: [CoordinatorMachine.Effect] = []
    for index in 0..<3 {
      let id = WorkerID(bytes: [UInt8(97 + index)])
      _ = machine.handle(.received(.hello(.forTests), from: id), at: .start)
      last = machine.handle(.lost(id, reason: "killed by signal 9"), at: .start)
    }
    #expect(failure(last)?.description.contains("took three workers down") == true)
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

  // MARK: Helpers

  var first: Assignment {
    Assignment(attempt: TaskAttempt(task: task, attempt: 1), work: .numbered(0))
  }

  /// A machine with one task that `worker` has.
  func running() -> CoordinatorMachine {
    var machine = CoordinatorMachine(settings: .forTests)
    _ = machine.handle(.submit([.init(id: task, work: .numbered(0))]), at: .start)
    _ = machine.handle(.received(.hello(.forTests), from: worker), at: .start)
    return machine
  }

  func deliver(_ bytes: [UInt8], by id: WorkerID, to machine: inout CoordinatorMachine)
    -> [CoordinatorMachine.Effect]
  {
    let begin = ReportBegin(
      attempt: first.attempt, byteCount: bytes.count, digest: VirtualCluster.digest(of: bytes))
    _ = machine.handle(.received(.reportBegin(begin), from: id), at: .start)
    for offset in stride(from: 0, to: bytes.count, by: Limits.chunkBytes) {
      let part = Array(bytes[offset..<min(offset + Limits.chunkBytes, bytes.count)])
      let chunk = ReportChunk(attempt: first.attempt, offset: offset, bytes: part)
      _ = machine.handle(.received(.reportChunk(chunk), from: id), at: .start)
    }
    return machine.handle(.received(.reportEnd(first.attempt), from: id), at: .start)
  }

  func rejection(_ effects: [CoordinatorMachine.Effect]) -> String? {
    for case .send(.reject(let reason), _) in effects { return reason }
    return nil
  }

  func failure(_ effects: [CoordinatorMachine.Effect]) -> RunFailure? {
    for case .failed(let failure) in effects { return failure }
    return nil
  }
}

extension Instant {
  static let start = Instant(nanoseconds: 0)
}

extension Hello {
  static var forTests: Hello {
    Hello(
      softwareVersion: "1", host: "host", processID: 1,
      modelDigest: VirtualCluster.digest(of: [1]), kernelFingerprint: "k", coreCount: 1,
      threadCount: 1, memoryBytes: 1 << 30)
  }
}
