/// What the coordinator knows of a worker.
struct WorkerRecord: Sendable {
  let id: WorkerID
  let hello: Hello
  var lastHeard: Instant
  /// nil when idle.
  var job: Job?
  private(set) var residentBytes = 0
  private(set) var peakResidentBytes = 0
  private(set) var completedTaskCount = 0

  init(id: WorkerID, hello: Hello, lastHeard: Instant) {
    self.id = id
    self.hello = hello
    self.lastHeard = lastHeard
  }

  /// - Returns: how long work of which kind stood still before it moved.
  mutating func take(_ heartbeat: Heartbeat, _ now: Instant) -> (Work.Kind, pause: Duration)? {
    residentBytes = heartbeat.residentBytes
    peakResidentBytes = max(peakResidentBytes, heartbeat.peakResidentBytes)
    guard let kind = job?.kind, let pause = job?.take(heartbeat, now) else { return nil }
    return (kind, pause)
  }

  /// Whether nothing was heard of it since it got its task: then the task is not why.
  var wasSilentBeforeItsTask: Bool { job.map { lastHeard <= $0.assignedAt } ?? false }

  /// Time in which nobody listened to it does not count.
  mutating func overlook(_ pause: Duration) {
    lastHeard = lastHeard + pause
    job?.overlook(pause)
  }

  /// The worker is idle from now on.
  /// - Returns: its job, if it has this one.
  mutating func takeJob(_ attempt: TaskAttempt) -> Job? {
    guard let job, job.attempt == attempt else { return nil }
    self.job = nil
    completedTaskCount += 1
    return job
  }
}
