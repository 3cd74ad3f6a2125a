public import Foundation

/// One thing that happened in a run: one line of its `events.jsonl`.
///
/// A line is a JSON object. `time` (RFC 3339, UTC) and `event` are always there, of the other fields
/// those that mean something for the event.
public struct RunEvent: Hashable, Sendable {
  public enum Kind: String, Codable, Sendable, CaseIterable {
    /// A run began: command, version, options, the coordinator's host and process.
    case started
    /// A run that did not end goes on, with so many `results` that it has already.
    case resumed
    /// All that was known when the file became full: the `story` so far.
    case continued
    case phaseBegun = "phase_begun"
    case phaseEnded = "phase_ended"
    /// How far the phase is, and what each worker does; every now and then.
    case progress
    case workerJoined = "worker_joined"
    case workerRefused = "worker_refused"
    case workerLost = "worker_lost"
    case workerLeft = "worker_left"
    /// A worker's process ended before it had joined.
    case workerEnded = "worker_ended"
    case workerRestarted = "worker_restarted"
    /// All workers are told to leave: their part of the run is done.
    case workersDismissed = "workers_dismissed"
    /// Somebody was turned away before anything else was known about them.
    case connectionRefused = "connection_refused"
    case hostLeftOut = "host_left_out"
    case taskGiven = "task_given"
    /// The attempt stands beside the `other` one, which takes long.
    case taskTriedTwice = "task_tried_twice"
    case taskFailed = "task_failed"
    case taskRequeued = "task_requeued"
    /// The attempt's result is safe.
    case taskStored = "task_stored"
    /// The result of the `other` attempt is safe.
    case taskSuperseded = "task_superseded"
    /// The attempt has other bits than the `other` one.
    case resultsDiffer = "results_differ"
    case warning
    /// Ctrl-C: what is in work is finished, nothing else is begun.
    case draining
    case interrupted
    case failed
    case finished
  }

  public var time: Date
  public var kind: Kind
  /// Such as "12.2": the second attempt at task 12.
  public var attempt: String?
  public var other: String?
  /// What the task is, for people.
  public var work: String?
  public var worker: String?
  public var host: String?
  public var process: Int?
  public var reason: String?
  public var phase: String?
  /// What ``units`` counts: tokens, bytes, layers.
  public var unit: String?
  public var units: Double?
  public var tasks: Int?
  /// Tasks of the phase whose results are safe.
  public var done: Int?
  /// Of the phase, 0…1; what is being computed is counted in part.
  public var fraction: Double?
  public var seconds: Double?
  public var results: Int?
  public var version: String?
  public var command: [String]?
  /// What decides the result, by the options' names.
  public var options: [String: String]?
  public var workers: [RunStory.Worker]?
  public var story: RunStory?

  public init(_ kind: Kind, at time: Date) {
    self.kind = kind
    self.time = time
  }
}

extension RunEvent: Codable {
  enum CodingKeys: String, CodingKey, CaseIterable {
    case time
    case kind = "event"
    case attempt, other, work, worker, host, process, reason, phase, unit, units, tasks, done
    case fraction, seconds, results, version, command, options, workers, story
  }
}
