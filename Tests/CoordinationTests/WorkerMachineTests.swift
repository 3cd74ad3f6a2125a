import Coordination
import FlapCore
import FlapTestKit
import Testing

/// The worker's way round: join, compute, offer, deliver, forget.
struct WorkerMachineTests {
  let attempt = TaskAttempt(task: TaskID(3), attempt: 1)
  let byteCount = Limits.chunkBytes * 2 + 5

  @Test("hello is repeated until it is answered; then heartbeats follow the coordinator's interval")
  func joining() {
    let introduction = Hello.forTests
    let hello = WorkerMessage.hello(introduction)
    var machine = WorkerMachine(hello: introduction)
    #expect(machine.handle(.started, at: .start) == [.send(hello)])
    let again = machine.handle(.timer(WorkerStatus()), at: .start + .seconds(2))
    #expect(again == [.send(hello)])
    let terms = VirtualCluster.settings.welcome
    let welcomed = machine.handle(.received(.welcome(terms)), at: .start + .seconds(3))
    #expect(welcomed == [.configure(terms)])
    #expect(machine.nextTimer == .start + .seconds(4))
    let beat = machine.handle(.timer(WorkerStatus()), at: .start + .seconds(4))
    #expect(beat == [.send(.heartbeat(WorkerStatus().heartbeat(of: nil)))])
  }

  @Test("chunks leave only on credit, and the result is kept until it is acknowledged")
  func credit() {
    var machine = computing()
    let digest = Digest.zero
    let offered = machine.handle(
      .finished(attempt, .report(byteCount: byteCount, digest), WorkerStatus()), at: .start)
    #expect(
      offered == [
        .send(.heartbeat(WorkerStatus().heartbeat(of: attempt))),
        .send(.reportBegin(ReportBegin(attempt: attempt, byteCount: byteCount, digest: digest))),
      ])
    let chunk = Limits.chunkBytes
    let stale = TaskAttempt(task: TaskID(2), attempt: 1)
    #expect(machine.handle(.received(.credit(stale, chunks: 1)), at: .start).isEmpty)
    let first = machine.handle(.received(.credit(attempt, chunks: 1)), at: .start)
    #expect(first == [.sendChunk(attempt, 0..<chunk)])
    let rest = machine.handle(.received(.credit(attempt, chunks: 5)), at: .start)
    #expect(
      rest == [
        .sendChunk(attempt, chunk..<2 * chunk), .sendChunk(attempt, 2 * chunk..<byteCount),
        .send(.reportEnd(attempt)),
      ])
    let acknowledged = machine.handle(.received(.reportAcknowledged(attempt)), at: .start)
    #expect(acknowledged == [.forget(attempt)])
  }

  @Test("the newest assignment counts: what is at hand is let go, an old copy is ignored")
  func newestAssignment() {
    var machine = computing()
    let next = Assignment(
      attempt: TaskAttempt(task: TaskID(4), attempt: 1), work: .numbered(4), serial: 2)
    let begun = machine.handle(.received(.assign(next)), at: .start)
    #expect(begun == [.abandon(attempt), .send(.accepted(next.attempt)), .begin(next)])
    let old = Assignment(attempt: attempt, work: .numbered(3), serial: 1)
    #expect(machine.handle(.received(.assign(old)), at: .start).isEmpty)
    #expect(machine.handle(.received(.assign(next)), at: .start).isEmpty)
  }

  @Test("given up it joins again; refused for good it ends", arguments: [true, false])
  func rejection(isFinal: Bool) {
    var machine = computing()
    let rejection = Rejection(reason: "r", isFinal: isFinal)
    let effects = machine.handle(.received(.reject(rejection)), at: .start)
    let ending = WorkerMachine.Ending(kind: isFinal ? .refused : .givenUp, reason: "r")
    #expect(effects == [.abandon(attempt), .exit(ending)])
  }

  @Test("a worker that hears nothing for its lease looks for a later coordinator")
  func lease() {
    var machine = computing()
    let effects = machine.handle(.timer(WorkerStatus()), at: .start + .seconds(30))
    #expect(
      effects == [
        .abandon(attempt),
        .exit(.init(kind: .orphaned, reason: "no word from the coordinator for 30 s")),
      ])
    #expect(
      machine.handle(.received(.shutdown(.complete)), at: .start).isEmpty, "the end is the end")
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
        .forget(attempt), .send(.bye(reason: "drained")),
        .exit(.init(kind: .endedEarly, reason: "drained")),
      ])
  }

  @Test("a run that is done needs nobody; one that ended early may go on under another coordinator")
  func shutdown() {
    for (end, kind) in [(RunEnd.complete, WorkerMachine.Ending.Kind.done), (.early, .endedEarly)] {
      var machine = computing()
      let effects = machine.handle(.received(.shutdown(end)), at: .start)
      #expect(effects.first == .abandon(attempt))
      guard case .exit(let ending) = effects.last else {
        Issue.record("the worker goes on")
        return
      }
      #expect(ending.kind == kind)
    }
  }

  @Test("asked to leave, it gives its task back; without whoever started it, it is done")
  func leaving() {
    for (event, kind) in [
      (WorkerMachine.Event.leave(reason: "r"), WorkerMachine.Ending.Kind.left),
      (.abandoned(reason: "r"), .done),
    ] {
      var machine = computing()
      #expect(
        machine.handle(event, at: .start) == [
          .send(.bye(reason: "r")), .abandon(attempt), .exit(.init(kind: kind, reason: "r")),
        ])
    }
  }

  @Test("a shard that was delivered is left to the coordinator, unless nobody wants it")
  func deliveredShard() {
    func effects(of message: CoordinatorMessage) -> [WorkerMachine.Effect] {
      var machine = computing()
      _ = machine.handle(
        .finished(
          attempt, .shard(fileName: "s", byteCount: 1, digest: .zero), WorkerStatus()), at: .start)
      return machine.handle(.received(message), at: .start)
    }
    func rejection(isFinal: Bool) -> CoordinatorMessage {
      .reject(Rejection(reason: "r", isFinal: isFinal))
    }
    #expect(effects(of: .cancel(attempt)) == [.forget(attempt)])
    #expect(effects(of: rejection(isFinal: true)).first == .forget(attempt))
    #expect(effects(of: rejection(isFinal: false)) == [.exit(.init(kind: .givenUp, reason: "r"))])
    #expect(effects(of: .shutdown(.complete)).count == 1)
  }

  @Test("checksums of tensors are told with each result until one is acknowledged")
  func checksums() {
    let told = [TensorChecksum(tensor: 1, Checksum(high: 1, low: 2))]
    var machine = computing()
    func deliver(_ attempt: TaskAttempt) -> [TensorChecksum]? {
      let effects = machine.handle(
        .finished(
          attempt, .shard(fileName: "s", byteCount: 1, digest: .zero),
          WorkerStatus(checksums: told)), at: .start)
      guard case .send(.shardCommitted(let shard)) = effects.last else { return nil }
      return shard.checksums
    }
    var attempt = attempt
    for (serial, expected) in [told, told, []].enumerated() {
      #expect(deliver(attempt) == expected)
      // The first is not wanted: nobody may have looked at it.
      _ = machine.handle(
        .received(serial == 0 ? .cancel(attempt) : .reportAcknowledged(attempt)), at: .start)
      attempt = TaskAttempt(task: TaskID(UInt64(10 + serial)), attempt: 1)
      let next = Assignment(attempt: attempt, work: .numbered(1), serial: UInt64(serial) + 2)
      _ = machine.handle(.received(.assign(next)), at: .start)
    }
  }

  @Test("one that waits for the next coordinator pauses first, and gives up at its limit")
  func waiting() {
    let hello = Hello.forTests
    var machine = WorkerMachine(
      hello: hello, joinLimit: .seconds(5), pause: .milliseconds(500))
    #expect(machine.handle(.started, at: .start).isEmpty)
    #expect(machine.nextTimer == .start + .milliseconds(500))
    let first = machine.handle(.timer(WorkerStatus()), at: .start + .milliseconds(500))
    #expect(first == [.send(.hello(hello))])
    let last = machine.handle(.timer(WorkerStatus()), at: .start + .seconds(5))
    #expect(
      last == [.exit(.init(kind: .orphaned, reason: "no word from the coordinator for 5 s"))])
  }

  @Test("an acknowledgement while computing means that another was first: the work is abandoned")
  func overtaken() {
    var machine = computing()
    let effects = machine.handle(.received(.reportAcknowledged(attempt)), at: .start)
    #expect(effects == [.abandon(attempt)])
    let late = machine.handle(
      .finished(attempt, .report(byteCount: 1, .zero), WorkerStatus()), at: .start)
    #expect(late.isEmpty)
  }

  func computing() -> WorkerMachine {
    var machine = WorkerMachine(hello: .forTests)
    _ = machine.handle(.started, at: .start)
    _ = machine.handle(.received(.welcome(VirtualCluster.settings.welcome)), at: .start)
    let assignment = Assignment(attempt: attempt, work: .numbered(3), serial: 1)
    _ = machine.handle(.received(.assign(assignment)), at: .start)
    return machine
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
