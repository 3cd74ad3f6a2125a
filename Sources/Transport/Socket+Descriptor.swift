internal import CZeroMQ

extension Socket {
  /// Becomes ready to read when something has happened at the socket (`ZMQ_FD`): for a thread
  /// that waits for many sockets with poll(2).
  ///
  /// It is only news of a change: after a wait, and after a message was sent, call ``receive()``
  /// until it returns nil, or the next wait does not end.
  public func changeDescriptor() throws(TransportError) -> Int32 {
    var descriptor: Int32 = -1
    var byteCount = MemoryLayout<Int32>.size
    guard zmq_getsockopt(handle, ZMQ_FD, &descriptor, &byteCount) == 0 else {
      throw .last("read a socket's descriptor")
    }
    return descriptor
  }
}
