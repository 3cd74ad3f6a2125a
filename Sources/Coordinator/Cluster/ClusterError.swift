internal import Host

/// Why a cluster cannot go on.
public enum ClusterError: Error, Hashable, Sendable, CustomStringConvertible {
  case noWorkersLeft(lastEnding: String)
  /// What is wrong with the hosts, one line each.
  case unfitHosts([String])
  /// A worker answered with a result of another kind, or twice.
  case unexpectedResult(String)
  /// A worker wrote a shard that is not here.
  case shardMissing(String)
  /// Ctrl-C or a request to terminate.
  case interrupted(signal: Int32)

  public var description: String {
    switch self {
    case .noWorkersLeft(let lastEnding):
      "every worker died, the last one \(lastEnding): see its output above; if it ran out of "
        + "memory, use fewer --local-workers or --leaves-per-unit 1"
    case .unfitHosts(let failures):
      (["preflight failed:"] + failures.map { "  " + $0 }).joined(separator: "\n")
    case .unexpectedResult(let work):
      "unexpected result of a worker for \(work): install the same version on every host"
    case .shardMissing(let path):
      "a worker wrote \(path), but it is not on this machine: use --gather where the hosts share "
        + "no file system"
    case .interrupted(let signal): "interrupted by \(Interruption.name(signal))"
    }
  }
}

extension ClusterError {
  /// Of this program, as shells know it; nil for any other error than an interruption.
  public var exitCode: Int32? {
    if case .interrupted(let signal) = self { Interruption.exitCode(signal) } else { nil }
  }
}

/// A wrong combination of options: what is wrong and what to do.
public struct UsageError: Error, Hashable, Sendable, CustomStringConvertible {
  public let description: String

  public init(_ description: String) { self.description = description }
}

extension Interruption {
  /// - Throws: ``ClusterError/interrupted(signal:)`` when a signal has come.
  func check() throws(ClusterError) {
    if let signal { throw .interrupted(signal: signal) }
  }
}
