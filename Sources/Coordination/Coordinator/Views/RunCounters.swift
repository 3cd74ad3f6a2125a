/// What happened in a run so far.
public struct RunCounters: Hashable, Sendable {
  public var joins = 0
  /// Workers that died, hung or broke the protocol.
  public var losses = 0
  /// Tasks that went to another worker.
  public var retries = 0
  /// Tasks that were tried a second time beside the first.
  public var speculations = 0
  /// Results that came a second time.
  public var duplicates = 0
  /// Results that are safe.
  public var completed = 0
  public var receivedBytes = 0

  public init() {}
}
