import Coordination
import FlapCore
import FlapTestKit
import Statistics
import Testing

/// Samples stay with the worker that has them at hand.
extension CoordinatorMachineTests {
  /// Two or more workers, each on a host of its own, that go through one map after another.
  struct Passes {
    static let leafCount = 8
    var machine: CoordinatorMachine
    var now = Instant.start
    private var effects: [CoordinatorMachine.Effect] = []
    private var taskCount: UInt64 = 0
    private var leaves: [TaskID: Int] = [:]

    init(_ workers: [String], _ change: (inout CoordinatorSettings) -> Void = { _ in }) {
      var settings = CoordinatorSettings.forTests
      // Nobody doubles what takes its time here.
      settings.stragglerFactor = 1000
      change(&settings)
      machine = CoordinatorMachine(settings: settings)
      for worker in workers { join(worker) }
    }

    static func id(_ name: String) -> WorkerID { WorkerID(bytes: Array(name.utf8)) }

    mutating func join(_ name: String, host: String? = nil) {
      handle(.received(.hello(.forTests(host: host ?? name)), from: Passes.id(name)))
    }

    mutating func handle(_ event: CoordinatorMachine.Event) {
      effects += machine.handle(event, at: now)
    }

    mutating func submit(step: Int, leaves order: [Int]) {
      let place = TapPlace.all(in: 0..<10)[step]
      let tasks = order.map { leaf in
        taskCount += 1
        leaves[TaskID(taskCount)] = leaf
        return CoordinatorMachine.Task(
          id: TaskID(taskCount),
          work: .sum(
            SumWork(
              .pruned(place, plan: VirtualWork.digest(of: [1])),
              VirtualWork.unit(.leaf(leaf), leafCount: Passes.leafCount), round: step,
              folder: nil)))
      }
      handle(.submit(tasks))
    }

    /// What was assigned since it was asked last.
    mutating func assigned() -> [(leaf: Int, attempt: TaskAttempt, worker: String)] {
      defer { effects = [] }
      return effects.compactMap { effect in
        guard case .send(.assign(let assignment), let id) = effect else { return nil }
        let attempt = assignment.attempt
        return (leaves[attempt.task]!, attempt, String(decoding: id.bytes, as: UTF8.self))
      }
    }

    mutating func finish(_ attempt: TaskAttempt, by worker: String) {
      now = now + .seconds(1)
      let (id, bytes) = (Passes.id(worker), [UInt8](repeating: 1, count: 3))
      handle(
        .received(
          .reportBegin(
            ReportBegin(
              attempt: attempt, byteCount: bytes.count, digest: VirtualWork.digest(of: bytes))),
          from: id))
      handle(
        .received(.reportChunk(ReportChunk(attempt: attempt, offset: 0, bytes: bytes)), from: id))
      handle(.received(.reportEnd(attempt), from: id))
      handle(.stored(attempt))
    }

    mutating func fail(_ attempt: TaskAttempt, by worker: String) {
      let failure = TaskFailure(attempt: attempt, failureClass: .transient, reason: "x")
      handle(.received(.taskFailed(failure), from: Passes.id(worker)))
      handle(.verified(failure, Passes.id(worker)))
    }

    /// One map: who was the last to get each leaf.
    ///
    /// - Parameter lastFirst: the latest assignment is finished first.
    mutating func run(
      step: Int, leaves order: [Int] = Array(0..<leafCount), lastFirst: Bool = false
    ) -> [Int: String] {
      submit(step: step, leaves: order)
      return finishAll(lastFirst: lastFirst)
    }

    mutating func finishAll(lastFirst: Bool = false) -> [Int: String] {
      var holders: [Int: String] = [:]
      var open = assigned()
      while !open.isEmpty {
        let next = lastFirst ? open.removeLast() : open.removeFirst()
        holders[next.leaf] = next.worker
        finish(next.attempt, by: next.worker)
        open += assigned()
      }
      return holders
    }
  }

  @Test("a task goes to the worker that had its samples, in whatever order tasks come and end")
  func samplesStay() {
    var passes = Passes(["a", "b", "c"])
    let first = passes.run(step: 0)
    #expect(Set(first.values) == ["a", "b", "c"])
    #expect(passes.run(step: 1) == first)
    #expect(passes.run(step: 2, leaves: (0..<8).reversed()) == first)
    #expect(passes.run(step: 3, leaves: [3, 1, 4, 0, 5, 2, 6, 7], lastFirst: true) == first)
    #expect(passes.machine.violations().isEmpty)
  }

  @Test("an idle worker waits for its own samples, not for those that another has at hand")
  func idleWaits() {
    var passes = Passes(["a", "b"])
    let first = passes.run(step: 0)
    let own = first.filter { $0.value == "a" }.map(\.key).sorted()
    passes.submit(step: 1, leaves: own)
    let assigned = passes.assigned()
    #expect(assigned.map(\.worker) == ["a"] && assigned.map(\.leaf) == [own[0]])
    #expect(passes.finishAll().isEmpty, "nothing is assigned before the first is done")
  }

  @Test("samples of a worker that is gone go to those that are left, and stay there")
  func holderGone() {
    var passes = Passes(["a", "b", "c"])
    let first = passes.run(step: 0)
    passes.handle(.lost(Passes.id("c"), reason: "killed"))
    let second = passes.run(step: 1)
    #expect(Set(second.values) == ["a", "b"])
    for (leaf, worker) in first where worker != "c" { #expect(second[leaf] == worker) }
    #expect(passes.run(step: 2, lastFirst: true) == second)
  }

  @Test("a worker that goes in the middle of a map leaves all of its tasks to others")
  func goneInTheMiddle() {
    var passes = Passes(["a", "b"])
    _ = passes.run(step: 0)
    passes.submit(step: 1, leaves: Array(0..<8))
    let open = passes.assigned()
    #expect(open.map(\.worker) == ["a", "b"])
    passes.handle(.lost(Passes.id("a"), reason: "killed"))
    for job in open where job.worker == "b" { passes.finish(job.attempt, by: "b") }
    let rest = passes.finishAll()
    #expect(rest.count == 7 && Set(rest.values) == ["b"])
    #expect(passes.machine.progress.completedTasks == 16)
  }

  @Test("a task that failed where its samples are goes to another host")
  func barred() {
    var passes = Passes(["a", "b"])
    let first = passes.run(step: 0)
    let own = first.filter { $0.value == "a" }.map(\.key).sorted()
    passes.submit(step: 1, leaves: own)
    let failed = passes.assigned()[0]
    #expect(failed.worker == "a")
    passes.fail(failed.attempt, by: "a")
    let second = passes.finishAll()
    #expect(second[failed.leaf] == "b")
    for leaf in own.dropFirst() { #expect(second[leaf] == "a") }
    // From now on they are there.
    let third = passes.run(step: 2)
    for leaf in 0..<8 { #expect(third[leaf] == (leaf == failed.leaf ? "b" : first[leaf])) }
  }

  @Test("an excluded host keeps no samples to itself")
  func excluded() {
    var passes = Passes(["a", "b"]) { $0.failedTasksPerHost = 2 }
    let first = passes.run(step: 0)
    let own = first.filter { $0.value == "a" }.map(\.key).sorted()
    passes.submit(step: 1, leaves: own)
    for _ in 0..<2 {
      let open = passes.assigned()
      for job in open where job.worker == "a" { passes.fail(job.attempt, by: "a") }
      for job in open where job.worker == "b" { passes.finish(job.attempt, by: "b") }
    }
    // Two different tasks failed on it: all that is left goes to the other.
    let rest = passes.finishAll()
    #expect(Set(rest.values) == ["b"])
    #expect(Set(passes.run(step: 2).values) == ["b"])
  }

  @Test("a worker that comes in place of another gets samples, too, and keeps them")
  func newcomer() {
    var passes = Passes(["a", "b"])
    let first = passes.run(step: 0)
    passes.handle(.lost(Passes.id("b"), reason: "killed"))
    _ = passes.run(step: 1)
    passes.join("c")
    let third = passes.run(step: 2)
    // Less than half of an even share, four of eight, moves nothing: two are enough.
    #expect(third.values.count { $0 == "c" } == 2)
    #expect(passes.run(step: 3, lastFirst: true) == third)
    #expect(passes.run(step: 4, leaves: (0..<8).reversed()) == third)
    // Nothing moves between workers that have their share.
    #expect(Set(first.values) == ["a", "b"])
  }

  @Test("tasks of a worker that hangs do not wait for it for ever")
  func hungHolder() {
    var passes = Passes(["a", "b"])
    _ = passes.run(step: 0)
    passes.submit(step: 1, leaves: Array(0..<8))
    var open = passes.assigned().filter { $0.worker == "b" }
    while let job = open.popLast() {
      passes.finish(job.attempt, by: "b")
      open += passes.assigned().filter { $0.worker == "b" }
    }
    #expect(passes.machine.progress.completedTasks == 12)
    // The other neither beats nor works.
    passes.now = passes.now + .seconds(9)
    passes.handle(.received(.heartbeat(.idle), from: Passes.id("b")))
    passes.now = passes.now + .seconds(5)
    passes.handle(.timer)
    let rest = passes.finishAll()
    #expect(rest.count == 4 && Set(rest.values) == ["b"])
  }
}
