internal import Storage
internal import SystemPackage
internal import Transport

/// Why a worker ended before its run was done.
public struct WorkerEnded: Error, Hashable, Sendable, CustomStringConvertible {
  /// What whoever started the worker is to do about it: the exit codes of `flap-worker`.
  public enum Remedy: Int32, Hashable, Sendable {
    /// It lost its coordinator, or could not begin: start it again.
    case restart = 1
    /// It would be refused again.
    case none = 3
    /// It was asked to leave (SIGTERM or Ctrl-C) and gave its task back: start it when it is wanted
    /// again.
    case onDemand = 4
  }

  public let reason: String
  public let remedy: Remedy

  public init(reason: String, remedy: Remedy) {
    self.reason = reason
    self.remedy = remedy
  }

  /// The same for an error with which a worker could not begin: files and descriptors that are not
  /// there may be there later, what they hold does not change.
  public init(_ error: any Error) {
    if let ended = error as? WorkerEnded {
      self = ended
    } else {
      self.init(reason: "\(error)", remedy: error.mayPass ? .restart : .none)
    }
  }

  public var description: String { "worker ends: \(reason)" }
}

extension Error {
  fileprivate var mayPass: Bool {
    if let error = self as? StorageError {
      // A pipe in a file's place, a secret for everybody: somebody has to mend it.
      if case .notAFile = error.code { return false }
      if case .readableByOthers = error.code { return false }
      return true
    }
    return self is TransportError || self is Errno
  }
}
