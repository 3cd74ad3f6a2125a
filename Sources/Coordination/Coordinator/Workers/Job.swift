import FlapCore

/// A worker's attempt at a task, from the assignment until its result is stored or not wanted.
struct Job: Sendable {
  enum Stage: Hashable, Sendable {
    /// No word of a result yet.
    case working
    /// The result waits for credit: others come first.
    case announced(ReportBegin)
    case receiving(ReportBegin, receivedBytes: Int)
    /// Complete, while another attempt's result is being stored: it waits for what comes of that.
    case complete(TaskResult)
    /// Complete, and handed out for storing.
    case handedOver(TaskResult)
  }

  let attempt: TaskAttempt
  let kind: Work.Kind
  private(set) var assignedAt: Instant
  var stage = Stage.working
  /// When the work last moved: a later step in a heartbeat, or a chunk of the report.
  var lastProgress: Instant
  /// Of the work. They belong to no stage: a heartbeat may come late, after the report's begin.
  private(set) var completedSteps = 0
  private(set) var totalSteps = 0
  /// Heartbeats since the assignment that said the worker is idle.
  var idleBeats = 0
  /// What came with the result, or its announcement; see ``ModelClaim``.
  var checksums: [TensorChecksum] = []

  init(attempt: TaskAttempt, kind: Work.Kind, assignedAt: Instant) {
    self.attempt = attempt
    self.kind = kind
    self.assignedAt = assignedAt
    lastProgress = assignedAt
  }

  /// Share of the work that is done, 0…1.
  var fraction: Double {
    guard stage == .working else { return 1 }
    return totalSteps > 0 ? Double(completedSteps) / Double(totalSteps) : 0
  }

  /// Time in which nobody listened to the worker does not count.
  mutating func overlook(_ pause: Duration) {
    assignedAt = assignedAt + pause
    lastProgress = lastProgress + pause
  }

  mutating func noteProgress(of attempt: TaskAttempt, _ now: Instant) {
    guard attempt == self.attempt else { return }
    lastProgress = now
    idleBeats = 0
  }

  /// - Returns: how long the work stood still, when steps were done since the last heartbeat. Not
  ///   the time of one step: a worker does several at once and tells them together.
  mutating func take(_ heartbeat: Heartbeat, _ now: Instant) -> Duration? {
    guard heartbeat.attempt == attempt else {
      if heartbeat.attempt == nil { idleBeats += 1 }
      return nil
    }
    idleBeats = 0
    totalSteps = heartbeat.totalSteps
    guard heartbeat.completedSteps > completedSteps else { return nil }
    defer { lastProgress = now }
    completedSteps = heartbeat.completedSteps
    return now - lastProgress
  }
}
