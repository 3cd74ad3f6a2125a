public import SystemPackage

/// What a worker is told when it is started; all else comes from its coordinator.
public struct WorkerOptions: Sendable {
  /// The coordinator's endpoint, as ZeroMQ writes it: `tcp://127.0.0.1:40001`.
  public var endpoint: String
  /// The checkpoint's folder on this machine.
  public var modelDirectory: FilePath
  /// Threads that compute.
  public var threadCount: Int
  /// End when standard input closes, as it does when the coordinator's process ends.
  public var watchesStandardInput: Bool

  public init(
    endpoint: String, modelDirectory: FilePath, threadCount: Int, watchesStandardInput: Bool
  ) {
    self.endpoint = endpoint
    self.modelDirectory = modelDirectory
    self.threadCount = threadCount
    self.watchesStandardInput = watchesStandardInput
  }
}
