internal import CZeroMQ
internal import FlapCore

extension Socket {
  /// Sends a message from a dealer to its router; never waits.
  ///
  /// - Precondition: a dealer, and at least one frame.
  @discardableResult
  public func send(_ frames: [[UInt8]]) throws(TransportError) -> SendStatus {
    precondition(kind == .dealer, "A router sends to a routing identity.")
    return try sendParts(frames)
  }

  /// Sends a message from a router to one of its dealers; never waits.
  ///
  /// - Precondition: a router, and at least one frame.
  @discardableResult
  public func send(
    _ frames: [[UInt8]], to routingID: [UInt8]
  ) throws(TransportError) -> SendStatus {
    precondition(kind == .router, "A dealer has one peer only.")
    precondition(!frames.isEmpty, "A message has a frame.")
    let status = try sendPart(routingID, hasMore: true)
    guard status == .sent else { return status }
    return try sendParts(frames)
  }

  // MARK: Parts

  private func sendParts(_ frames: [[UInt8]]) throws(TransportError) -> SendStatus {
    precondition(!frames.isEmpty, "A message has a frame.")
    for (index, frame) in frames.enumerated() {
      // Only the first part can be refused while the peer lives; when the connection breaks
      // amid a message, ZeroMQ takes back the parts it had.
      let status = try sendPart(frame, hasMore: index < frames.count - 1)
      guard status == .sent else { return status }
    }
    return .sent
  }

  /// `zmq_send`, which copies the bytes.
  private func sendPart(_ bytes: [UInt8], hasMore: Bool) throws(TransportError) -> SendStatus {
    let flags = ZMQ_DONTWAIT | (hasMore ? ZMQ_SNDMORE : 0)
    while zmq_send(handle, bytes, bytes.count, flags) < 0 {
      switch zmq_errno() {
      case EINTR: continue
      case EAGAIN: return .wouldBlock
      case EHOSTUNREACH: return .unreachable
      default: throw .last("send a message")
      }
    }
    return .sent
  }
}
