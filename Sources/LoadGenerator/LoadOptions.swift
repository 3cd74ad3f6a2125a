public import SystemPackage

/// What load is put on a coordinator.
public struct LoadOptions: Sendable {
  /// The ticket that the coordinator wrote.
  public var connectFile: FilePath
  /// The checkpoint's folder: its shape decides the size of reports. Its weights are not read.
  public var modelDirectory: FilePath
  /// Workers that are played, each with a connection of its own.
  public var connectionCount: Int
  /// How long each worker seems to compute before it reports.
  public var reportDelay: Duration

  public init(
    connectFile: FilePath, modelDirectory: FilePath, connectionCount: Int, reportDelay: Duration
  ) {
    self.connectFile = connectFile
    self.modelDirectory = modelDirectory
    self.connectionCount = connectionCount
    self.reportDelay = reportDelay
  }
}
