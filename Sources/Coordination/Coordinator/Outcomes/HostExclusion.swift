/// A host whose workers get no tasks for a while, as long as there are others.
public struct HostExclusion: Hashable, Sendable, CustomStringConvertible {
  public let host: String
  /// Different tasks that failed there.
  public let failedTaskCount: Int
  /// For which each of them counts.
  public let span: Duration

  public init(host: String, failedTaskCount: Int, span: Duration) {
    self.host = host
    self.failedTaskCount = failedTaskCount
    self.span = span
  }

  public var description: String {
    let tasks = failedTaskCount == 1 ? "a task" : "\(failedTaskCount) different tasks"
    return
      "\(host) is left out for \(Int(span.seconds) / 60) min while others work: \(tasks) failed there"
  }
}
