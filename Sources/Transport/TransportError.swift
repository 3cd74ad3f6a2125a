internal import CZeroMQ

/// What ZeroMQ or the system refused to do.
public struct TransportError: Error, Hashable, Sendable {
  /// What was tried, for example "bind" or "create a socket".
  public let operation: String
  /// The endpoint it was tried on, or nil where there is none.
  public let endpoint: String?
  /// The error number (`errno`, or one of ZeroMQ's above `ZMQ_HAUSNUMERO`).
  public let code: Int32
  /// The library's text for `code`.
  public let text: String

  public init(operation: String, endpoint: String? = nil, code: Int32, text: String) {
    self.operation = operation
    self.endpoint = endpoint
    self.code = code
    self.text = text
  }

  /// The error that the calling thread's last ZeroMQ or system call left (`zmq_errno`).
  static func last(_ operation: String, endpoint: String? = nil) -> TransportError {
    let code = zmq_errno()
    return TransportError(
      operation: operation, endpoint: endpoint, code: code,
      text: String(cString: zmq_strerror(code)))
  }
}

extension TransportError: CustomStringConvertible {
  public var description: String {
    let place = endpoint.map { " \($0)" } ?? ""
    return "cannot \(operation)\(place): \(text)\(advice.map { "; \($0)" } ?? "")"
  }

  private var advice: String? {
    switch code {
    case EADDRINUSE: "choose another port, or end the program that listens there"
    case EADDRNOTAVAIL, ENODEV: "name an address or interface of this host"
    case EACCES: "choose a port above 1023"
    case EINVAL where endpoint != nil, EPROTONOSUPPORT: "write the endpoint as tcp://host:port"
    case EMFILE: "raise the limit of open files (ulimit -n)"
    default: nil
    }
  }
}
