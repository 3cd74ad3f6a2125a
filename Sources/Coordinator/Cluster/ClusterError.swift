/// Why a cluster cannot go on.
public enum ClusterError: Error, Hashable, Sendable, CustomStringConvertible {
  case noWorkersLeft(lastEnding: String)
  /// A worker answered with a result of another kind, or twice.
  case unexpectedResult(String)
  /// Ctrl-C or a request to terminate.
  case interrupted

  public var description: String {
    switch self {
    case .noWorkersLeft(let lastEnding):
      "every worker died, the last one \(lastEnding): see its messages above; if the system "
        + "killed it for memory, use fewer --local-workers or --leaves-per-block 1"
    case .unexpectedResult(let work):
      "a worker's result for \(work) does not fit: install the same version everywhere"
    case .interrupted: "interrupted; nothing was written"
    }
  }
}

/// A wrong combination of options: what is wrong and what to do.
public struct UsageError: Error, Hashable, Sendable, CustomStringConvertible {
  public let description: String

  public init(_ description: String) { self.description = description }
}
