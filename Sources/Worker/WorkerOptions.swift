internal import Checkpoint
public import SystemPackage
public import Transport

/// What a worker is told when it is started; all else comes from its coordinator.
public struct WorkerOptions: Sendable {
  /// Where the coordinator is, and the keys to join it.
  public var ticket: TicketSource
  /// The checkpoint's folder on this machine, or its name on the hub.
  public var modelDirectory: FilePath
  /// Leaves that are computed at a time; nil: what suits the model.
  public var laneCount: Int?
  /// Threads that compute, of all lanes together.
  public var threadCount: Int
  /// End when standard input closes, as it does when the coordinator's process ends.
  public var watchesStandardInput: Bool

  public init(
    ticket: TicketSource, modelDirectory: FilePath, laneCount: Int?, threadCount: Int,
    watchesStandardInput: Bool
  ) {
    self.ticket = ticket
    self.modelDirectory = modelDirectory
    self.laneCount = laneCount
    self.threadCount = threadCount
    self.watchesStandardInput = watchesStandardInput
  }

  /// - Throws: `HubCacheError`.
  var modelFolder: FilePath {
    get throws { try HubCache.ofThisUser.folder(of: modelDirectory) }
  }
}

/// Where a worker's ticket comes from.
public enum TicketSource: Sendable {
  case given(ConnectionTicket)
  /// A later coordinator writes a new one there.
  case file(FilePath)

  func read() throws -> ConnectionTicket {
    switch self {
    case .given(let ticket): ticket
    case .file(let path): try TicketReader.read(path)
    }
  }
}
