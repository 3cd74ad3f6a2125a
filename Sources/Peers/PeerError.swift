/// Why a file, or the rest of it, did not come from another worker.
public enum PeerError: Error, Hashable, Sendable {
  /// There is no connection: nobody listens there, somebody with other keys does, or the
  /// connection broke.
  case unreachable(endpoint: String)
  /// Who is there does not answer.
  case silent(endpoint: String)
  /// Who is there does not have the file, or can no longer read it.
  case gone(endpoint: String)
  /// What came is no answer to what was asked.
  case malformed(endpoint: String, reason: String)
  /// The caller wanted no more.
  case abandoned
}

extension PeerError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .unreachable(let endpoint):
      "the worker at \(endpoint) cannot be reached; "
        + "let workers connect to one another on all ports above 1023"
    case .silent(let endpoint): "the worker at \(endpoint) does not answer"
    case .gone(let endpoint): "the worker at \(endpoint) no longer has what it was asked for"
    case .malformed(let endpoint, let reason): "the worker at \(endpoint) sent a \(reason)"
    case .abandoned: "the transfer was abandoned"
    }
  }
}
