internal import CZeroMQ

/// ZeroMQ's I/O threads (`zmq_ctx_new`); one per process is enough.
///
/// When the last holder lets go, `zmq_ctx_term` waits until what was sent has left, at most the
/// linger time of the sockets.
public final class MessagingContext: @unchecked Sendable {
  // Unchecked: ZeroMQ's contexts may be used from any thread at once (zmq_ctx_new(3)).
  let handle: UnsafeMutableRawPointer

  public init() throws(TransportError) {
    guard let handle = zmq_ctx_new() else { throw .last("create a ZeroMQ context") }
    self.handle = handle
  }

  deinit {
    while zmq_ctx_term(handle) != 0, zmq_errno() == EINTR {}
  }
}
