import Coordination
import FlapCore
import FlapTestKit
import Testing

/// What a log tells of an attempt: one id, from the assignment to the end.
extension CoordinatorMachineTests {
  @Test("an id is the task's number in its process and the attempt's")
  func attemptID() {
    let attempt = TaskAttempt(task: TaskID(run: .max, number: 12), attempt: 2)
    #expect("\(attempt)" == "12.2")
    #expect("\(AttemptLabel(attempt, "shard 3"))" == "[12.2] shard 3")
  }

  @Test("a task that failed and was done again: two ids, each through all of its lines")
  func logOfARetry() {
    let task = TaskID(run: 7, number: 12)
    var machine = CoordinatorMachine(settings: .forTests)
    var log: [LogEvent] = []
    func tell(_ event: CoordinatorMachine.Event) {
      for case .log(let event) in machine.handle(event, at: .start) { log.append(event) }
    }
    tell(.submit([.init(id: task, work: .numbered(5))]))
    tell(.received(.hello(.forTests), from: worker))
    let first = TaskAttempt(task: task, attempt: 1)
    let failed = TaskFailure(attempt: first, failureClass: .transient, reason: "disk full")
    tell(.received(.taskFailed(failed), from: worker))
    let second = TaskAttempt(task: task, attempt: 2)
    _ = finish(second, by: worker, &machine, .start)
    tell(.stored(second))
    #expect(
      log.map(\.description) == [
        "worker a joined (host, process 1)",
        "[12.1] calibration of work unit 0/5 goes to a on host",
        "[12.1] calibration of work unit 0/5 failed on host: disk full",
        "[12.1] calibration of work unit 0/5 came to nothing: it waits for a worker again",
        "[12.2] calibration of work unit 0/5 goes to a on host",
        "[12.2] calibration of work unit 0/5 is stored",
      ])
    #expect(log.map(\.isWarning) == [false, false, true, true, false, false])
  }

  @Test("a worker that is lost names what it had")
  func logOfALoss() {
    var machine = running()
    let effects = machine.handle(.lost(worker, reason: "killed by signal 9"), at: .start)
    let label = AttemptLabel(first.attempt, first.work.name)
    let loss = LogEvent.workerLost(
      worker, host: "host", reason: "killed by signal 9", holding: label)
    #expect(effects.contains(.log(loss)))
    #expect(
      "\(loss)"
        == "[0.1] calibration of work unit 0/0 lost with worker a on host: killed by signal 9")
  }

  @Test("whatever happens, a line about an attempt begins with its id", arguments: 0..<40)
  func everyLine(seed: UInt64) {
    var cluster = VirtualCluster(seed: seed)
    cluster.run(faultyFor: .seconds(60), limit: .seconds(5000))
    let labels = cluster.log.compactMap(\.label)
    #expect(!labels.isEmpty)
    for event in cluster.log {
      guard let label = event.label else { continue }
      #expect("\(event)".hasPrefix("[\(label.attempt)] \(label.work) "))
    }
  }
}
