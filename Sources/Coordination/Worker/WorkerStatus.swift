/// What a worker's shell measures for its heartbeats.
public struct WorkerStatus: Hashable, Sendable {
  public var completedSteps: Int
  public var totalSteps: Int
  /// Anonymous resident memory now, and the most it was seen to be.
  public var residentBytes: Int
  public var peakResidentBytes: Int

  public init(
    completedSteps: Int = 0, totalSteps: Int = 0, residentBytes: Int = 0,
    peakResidentBytes: Int = 0
  ) {
    self.completedSteps = completedSteps
    self.totalSteps = totalSteps
    self.residentBytes = residentBytes
    self.peakResidentBytes = peakResidentBytes
  }

  func heartbeat(for attempt: TaskAttempt?) -> Heartbeat {
    Heartbeat(
      attempt: attempt, completedSteps: completedSteps, totalSteps: totalSteps,
      residentBytes: residentBytes, peakResidentBytes: peakResidentBytes)
  }
}
