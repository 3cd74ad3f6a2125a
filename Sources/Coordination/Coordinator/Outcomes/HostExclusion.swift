/// A host that workers are not wanted from, while there are others.
public struct HostExclusion: Hashable, Sendable, CustomStringConvertible {
  public let host: String
  /// Different tasks that failed there.
  public let failedTaskCount: Int

  public init(host: String, failedTaskCount: Int) {
    self.host = host
    self.failedTaskCount = failedTaskCount
  }

  public var description: String {
    let tasks = failedTaskCount == 1 ? "a task" : "\(failedTaskCount) different tasks"
    return "\(host) is left out: \(tasks) failed there"
  }
}
