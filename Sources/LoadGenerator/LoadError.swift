internal import Glibc

/// Why no load could be put on the coordinator.
public enum LoadError: Error, Hashable, Sendable, CustomStringConvertible {
  /// Not one worker was let in, or stayed.
  case allLost(reason: String)
  /// poll(2) failed.
  case cannotWait(code: Int32)

  public var description: String {
    switch self {
    case .allLost(let reason): "every worker was turned away or given up, the last one: \(reason)"
    case .cannotWait(let code):
      "cannot wait for the sockets: \(String(cString: strerror(code))); use fewer --connections"
    }
  }
}
