/// A worker as those who watch see it.
public struct WorkerView: Hashable, Sendable {
  public let id: WorkerID
  public let host: String
  public let processID: Int
  public let threadCount: Int
  public let attempt: TaskAttempt?
  /// What it works at, or nil.
  public let task: String?
  /// Share of the task that is done, 0…1.
  public let fraction: Double
  public let completedTaskCount: Int
  public let residentBytes: Int
  public let silence: Duration
}
