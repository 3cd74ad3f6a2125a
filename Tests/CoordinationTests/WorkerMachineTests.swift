import Coordination
import FlapCore
import FlapTestKit
import Testing

/// The worker's way round: join, compute, offer, deliver, forget.
struct WorkerMachineTests {
  let attempt = TaskAttempt(task: TaskID(3), attempt: 1)
  let bytes = Array(repeating: UInt8(7), count: Limits.chunkBytes * 2 + 5)

  @Test("hello is repeated until it is answered; then heartbeats follow the coordinator's interval")
  func joining() {
    var machine = WorkerMachine(hello: .forTests)
    #expect(machine.handle(.started, at: .start) == [.send(.hello(.forTests))])
    let again = machine.handle(.timer(WorkerStatus()), at: .start + .seconds(2))
    #expect(again == [.send(.hello(.forTests))])
    let terms = CoordinatorSettings.forTests.welcome
    let welcomed = machine.handle(.received(.welcome(terms)), at: .start + .seconds(3))
    #expect(welcomed == [.configure(terms)])
    #expect(machine.nextTimer == .start + .seconds(4))
    let beat = machine.handle(.timer(WorkerStatus()), at: .start + .seconds(4))
    #expect(beat == [.send(.heartbeat(WorkerStatus().heartbeat(of: nil)))])
  }

  @Test("chunks leave only on credit, and the result is kept until it is acknowledged")
  func credit() {
    var machine = computing()
    let digest = VirtualCluster.digest(of: bytes)
    let offered = machine.handle(
      .finished(attempt, .report(bytes, digest), WorkerStatus()), at: .start)
    #expect(
      offered == [
        .send(.heartbeat(WorkerStatus().heartbeat(of: attempt))),
        .send(
          .reportBegin(ReportBegin(attempt: attempt, byteCount: bytes.count, digest: digest))),
      ])
    #expect(sizes(machine.handle(.received(.credit(chunks: 1)), at: .start)) == [Limits.chunkBytes])
    let rest = machine.handle(.received(.credit(chunks: 5)), at: .start)
    #expect(sizes(rest) == [Limits.chunkBytes, 5])
    #expect(rest.last == .send(.reportEnd(attempt)))
    let next = Assignment(attempt: TaskAttempt(task: TaskID(4), attempt: 1), work: .numbered(4))
    let refused = machine.handle(.received(.assign(next)), at: .start)
    #expect(refused.contains { if case .send(.taskFailed) = $0 { true } else { false } })
    #expect(machine.handle(.received(.reportAcknowledged(attempt)), at: .start).isEmpty)
    let begun = machine.handle(.received(.assign(next)), at: .start)
    #expect(begun == [.send(.accepted(next.attempt)), .begin(next)])
  }

  @Test("a worker that hears nothing for its lease ends with a failure")
  func lease() {
    var machine = computing()
    let effects = machine.handle(.timer(WorkerStatus()), at: .start + .seconds(30))
    #expect(
      effects == [
        .abandon(attempt),
        .exit(reason: "no word from the coordinator for 30 s", isFailure: true),
      ])
    #expect(machine.handle(.received(.shutdown), at: .start).isEmpty, "the end is the end")
  }

  @Test("drain: the work at hand is delivered first")
  func drain() {
    var machine = computing()
    #expect(machine.handle(.received(.drain), at: .start).isEmpty)
    _ = machine.handle(
      .finished(
        attempt, .shard(fileName: "s", byteCount: 1, digest: .zero), WorkerStatus()), at: .start)
    let effects = machine.handle(.received(.reportAcknowledged(attempt)), at: .start)
    #expect(
      effects == [
        .send(.bye(reason: "drained")), .exit(reason: "drained", isFailure: false),
      ])
  }

  @Test("an acknowledgement while computing means that another was first: the work is abandoned")
  func overtaken() {
    var machine = computing()
    let effects = machine.handle(.received(.reportAcknowledged(attempt)), at: .start)
    #expect(effects == [.abandon(attempt)])
    let late = machine.handle(
      .finished(attempt, .report([1], .zero), WorkerStatus()), at: .start)
    #expect(late.isEmpty)
  }

  func computing() -> WorkerMachine {
    var machine = WorkerMachine(hello: .forTests)
    _ = machine.handle(.started, at: .start)
    _ = machine.handle(.received(.welcome(CoordinatorSettings.forTests.welcome)), at: .start)
    let assignment = Assignment(attempt: attempt, work: .numbered(3))
    _ = machine.handle(.received(.assign(assignment)), at: .start)
    return machine
  }

  func sizes(_ effects: [WorkerMachine.Effect]) -> [Int] {
    effects.compactMap {
      if case .send(.reportChunk(let chunk)) = $0 { chunk.bytes.count } else { nil }
    }
  }
}

extension Digest {
  static let zero = Digest(bytes: Array(repeating: UInt8(0), count: 32))!
}

extension WorkerStatus {
  func heartbeat(of attempt: TaskAttempt?) -> Heartbeat {
    Heartbeat(
      attempt: attempt, completedSteps: 0, totalSteps: 0, residentBytes: 0, peakResidentBytes: 0)
  }
}
