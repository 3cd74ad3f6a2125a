import Chronicle
import Coordination
import Foundation

extension Date {
  static let start = Date(timeIntervalSince1970: 1_700_000_000)
}

extension LogEvent {
  static func joined(_ name: String, host: String, process: Int = 1) -> LogEvent {
    .workerJoined(WorkerID(bytes: Array(name.utf8)), host: host, processID: process)
  }

  static func given(_ number: Int, _ attempt: Int = 1, to name: String, host: String) -> LogEvent {
    .taskAssigned(label(number, attempt), to: WorkerID(bytes: Array(name.utf8)), host: host)
  }

  static func label(_ number: Int, _ attempt: Int = 1) -> AttemptLabel {
    AttemptLabel(
      TaskAttempt(task: TaskID(run: 0, number: number), attempt: attempt), "shard \(number)")
  }
}

extension RunEvent {
  static func phase(_ name: String, tasks: Int, units: Double, at time: Date = .start) -> RunEvent {
    var event = RunEvent(.phaseBegun, at: time)
    (event.phase, event.tasks, event.unit, event.units) = (name, tasks, "bytes", units)
    return event
  }
}
