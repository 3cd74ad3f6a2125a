import Coordination
import FlapCore
import FlapTestKit
import Testing

/// The states of a task, and the story that a program tells when it ends because of one.
struct TaskRecordTests {
  let one = WorkerID(bytes: Array("w1".utf8))
  let two = WorkerID(bytes: Array("w2".utf8))
  let digest = VirtualWork.digest(of: [1])

  private var task: TaskRecord { TaskRecord(id: TaskID(run: 5, number: 12), work: .numbered(3)) }

  @Test("a transition that the state does not allow is told with all that went before")
  func complaint() {
    var task = task
    let first = task.begin(by: one)
    task.offer(digest, of: first, by: one)
    #expect(task.refuse(first) == .runs)
    #expect(task.fail(by: one, on: "host") == .requeued)
    #expect(
      task.complaint(about: .acknowledged(1))
        == "task 12 (calibration of work unit 0/3): submitted; 12.1 assigned to w1; 12.1 offered by w1; "
        + "12.1 refused; 12.1 failed by w1; requeued; 12.1 cannot be acknowledged")
  }

  @Test("a story keeps its last steps and says how many it lost")
  func longStory() {
    var task = task
    for _ in 0..<20 {
      _ = task.begin(by: one)
      #expect(task.lose(one) == .requeued)
    }
    // 61 steps: the submission and three for each attempt.
    let name = "task 12 (calibration of work unit 0/3)"
    #expect(task.told.hasPrefix("\(name): … (29 earlier); 12.10 lost with w1; requeued; 12.11"))
    #expect(task.told.hasSuffix("12.20 assigned to w1; 12.20 lost with w1; requeued"))
    #expect(task.lostWorkerCount == 20)
  }

  @Test("two attempts: the first result is stored, whoever leaves")
  func twoHolders() {
    var task = task
    let first = task.begin(by: one)
    let second = task.begin(by: two)
    task.offer(digest, of: second, by: two)
    #expect(task.lose(two) == .isStored)
    #expect(task.lostWorkerCount == 0)
    let (offer, holders) = task.acknowledge(second)
    #expect(offer.attempt == second && offer.digest == digest)
    #expect(holders.map(\.attempt) == [first])
    #expect(task.state == .done(digest) && task.holders.isEmpty)
  }

  @Test("a damaged result of a worker that is gone leaves the task to the other, or to the queue")
  func damagedAfterDeath() {
    for isDoubled in [true, false] {
      var task = task
      let first = task.begin(by: one)
      if isDoubled { _ = task.begin(by: two) }
      task.offer(digest, of: first, by: one)
      #expect(task.lose(one) == .isStored)
      #expect(task.refuse(first) == (isDoubled ? .runs : .requeued))
      #expect(task.holders.map(\.worker) == (isDoubled ? [two] : []))
    }
  }

  @Test("a machine tells the story of each of its tasks")
  func storyOfAMachine() {
    let id = TaskID(run: 5, number: 12)
    var machine = CoordinatorMachine(settings: .forTests)
    #expect(machine.story(of: id) == nil)
    _ = machine.handle(.submit([.init(id: id, work: .numbered(3))]), at: .start)
    _ = machine.handle(.received(.hello(.forTests), from: one), at: .start)
    _ = machine.handle(.received(.bye(reason: "x"), from: one), at: .start)
    #expect(
      machine.story(of: id)
        == "task 12 (calibration of work unit 0/3): submitted; 12.1 assigned to w1; 12.1 released by w1; "
        + "requeued")
  }
}
