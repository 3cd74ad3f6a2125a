public import FlapCore

/// The numbers by which a coordinator judges its workers.
public struct CoordinatorSettings: Sendable {
  /// What every worker is told when it joins.
  public var welcome: Welcome
  /// Identity of the model; a worker that holds another is refused.
  public var modelDigest: Digest
  /// SHA-256; a parameter, so that this module computes nothing but decisions.
  public var digest: @Sendable ([UInt8]) -> Digest
  /// A worker that is silent for this long is dead.
  public var deadAfter: Duration = .seconds(10)
  /// A worker whose work does not move for this long is hung, however well it beats.
  public var hungAfter: Duration = .seconds(120)
  /// A task is tried this often.
  public var attemptLimit = 4
  /// A task in whose hands this many workers died or hung ends the run.
  public var lostWorkerLimit = 3
  /// Chunks of one report that may be in flight.
  public var creditsPerReport = 8
  /// Largest report that a task of this run can have.
  public var maximumReportBytes: Int
  /// Results that differ between workers end the run, where otherwise they are only told.
  public var isStrict = false

  public init(
    welcome: Welcome, modelDigest: Digest, maximumReportBytes: Int,
    digest: @escaping @Sendable ([UInt8]) -> Digest
  ) {
    self.welcome = welcome
    self.modelDigest = modelDigest
    self.maximumReportBytes = maximumReportBytes
    self.digest = digest
  }
}
