internal import CZeroMQ

/// What ZeroMQ tells of the connections of a server socket (`zmq_socket_monitor`, version 1).
package enum HandshakeEvent: Hashable {
  /// A connection was made; its descriptor is open until `closed`.
  case accepted(descriptor: Int32)
  /// A client has shown that it owns an allowed key, or another one: judged either way.
  case judged
  /// The handshake of the connection that is closed next has failed.
  case failed(Failure)
  case closed(descriptor: Int32)

  package enum Failure: Hashable {
    /// `errno`, which is what some earlier call has left when it was the time that ran out.
    case system(Int32)
    /// One of `ZMQ_PROTOCOL_ERROR_…`.
    case peer(Int32)
  }

  static let mask =
    ZMQ_EVENT_ACCEPTED | ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH
    | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL
    | ZMQ_EVENT_DISCONNECTED

  /// - Parameter frame: the number of the event (16 bits) and its value (32 bits), in the order of
  ///   the machine's bytes. The frame after it is the server's endpoint, not the client's.
  init?(frame: [UInt8]) {
    guard frame.count == 6 else { return nil }
    let (event, value) = frame.withUnsafeBytes {
      (
        Int32($0.loadUnaligned(as: UInt16.self)),
        $0.loadUnaligned(fromByteOffset: 2, as: Int32.self)
      )
    }
    switch event {
    case ZMQ_EVENT_ACCEPTED: self = .accepted(descriptor: value)
    case ZMQ_EVENT_HANDSHAKE_SUCCEEDED, ZMQ_EVENT_HANDSHAKE_FAILED_AUTH: self = .judged
    case ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL: self = .failed(.system(value))
    case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL: self = .failed(.peer(value))
    case ZMQ_EVENT_DISCONNECTED: self = .closed(descriptor: value)
    default: return nil
    }
  }
}
