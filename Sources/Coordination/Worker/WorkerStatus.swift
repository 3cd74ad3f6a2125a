public import FlapCore

/// What a worker's shell measures for its heartbeats and results.
public struct WorkerStatus: Hashable, Sendable {
  public var completedSteps: Int
  public var totalSteps: Int
  /// Anonymous resident memory now, and the most it was seen to be.
  public var residentBytes: Int
  public var peakResidentBytes: Int
  /// Of the tensors that were read whole so far, in that order.
  public var checksums: [TensorChecksum]

  public init(
    completedSteps: Int = 0, totalSteps: Int = 0, residentBytes: Int = 0,
    peakResidentBytes: Int = 0, checksums: [TensorChecksum] = []
  ) {
    self.checksums = checksums
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
