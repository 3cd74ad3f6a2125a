internal import CZeroMQ

/// ZeroMQ's I/O threads (`zmq_ctx_new`); one per process is enough.
///
/// When the last holder lets go, `zmq_ctx_term` waits until what was sent has left, at most the
/// linger time of the sockets.
public final class MessagingContext: @unchecked Sendable {
  // Unchecked: ZeroMQ's contexts may be used from any thread at once (zmq_ctx_new(3)).
  let handle: UnsafeMutableRawPointer

  /// - Parameters:
  ///   - ioThreadCount: threads that move, encrypt and decrypt bytes (`ZMQ_IO_THREADS`); each
  ///     connection belongs to one of them.
  ///   - socketLimit: sockets that may be open at once (`ZMQ_MAX_SOCKETS`); nil: ZeroMQ's
  ///     default, 1023.
  public init(ioThreadCount: Int = 1, socketLimit: Int? = nil) throws(TransportError) {
    guard let handle = zmq_ctx_new() else { throw .last("create a ZeroMQ context") }
    // Both take effect with the first socket.
    do throws(TransportError) {
      try MessagingContext.set(handle, ZMQ_IO_THREADS, "IO_THREADS", ioThreadCount)
      if let socketLimit {
        try MessagingContext.set(handle, ZMQ_MAX_SOCKETS, "MAX_SOCKETS", socketLimit)
      }
    } catch {
      zmq_ctx_term(handle)
      throw error
    }
    self.handle = handle
  }

  deinit {
    while zmq_ctx_term(handle) != 0, zmq_errno() == EINTR {}
  }

  /// `zmq_ctx_set`.
  private static func set(
    _ handle: UnsafeMutableRawPointer, _ option: Int32, _ name: String, _ value: Int
  ) throws(TransportError) {
    guard zmq_ctx_set(handle, option, Int32(clamping: value)) == 0 else {
      throw .last("set the context option \(name)")
    }
  }
}
