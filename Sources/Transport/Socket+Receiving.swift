internal import CZeroMQ
internal import FlapCore

extension Socket {
  /// The next message that has arrived, or nil; never waits.
  ///
  /// A CURVE server's messages carry the key of their sender; one that does not is dropped, and
  /// its ``Authenticator`` counts it.
  public func receive() throws(TransportError) -> Message? {
    while let message = try receiveAny() {
      guard let authenticator, message.userID == nil else { return message }
      authenticator.recordUnidentifiedMessage(from: message.address)
    }
    return nil
  }

  private func receiveAny() throws(TransportError) -> Message? {
    guard var part = try receivePart() else { return nil }
    var message = Message(frames: [])
    if kind == .router {
      message.routingID = part.bytes
      guard part.hasMore, let body = try receivePart(of: kind) else { return message }
      part = body
    }
    message.address = part.address
    message.frames.append(part.bytes)
    message.userID = part.userID
    var isTooLong = false
    while part.hasMore, let next = try receivePart() {
      part = next
      isTooLong = isTooLong || message.frames.count >= Limits.framesPerMessage
      // What is too long is read to its end, so that the next message starts at its start.
      if isTooLong { message.frames = [] } else { message.frames.append(part.bytes) }
      if part.userID != message.userID { message.userID = nil }
    }
    return message
  }

  private struct Part {
    var bytes: [UInt8]
    var hasMore: Bool
    var userID: String?
    var address = ""
  }

  /// `zmq_msg_recv`; the bytes are copied once.
  ///
  /// - Parameter kind: a router's, to read also the sender's address.
  private func receivePart(of kind: Kind? = nil) throws(TransportError) -> Part? {
    var part = zmq_msg_t()
    zmq_msg_init(&part)
    defer { zmq_msg_close(&part) }
    while zmq_msg_recv(&part, handle, ZMQ_DONTWAIT) < 0 {
      switch zmq_errno() {
      case EINTR: continue
      case EAGAIN: return nil
      default: throw .last("receive a message")
      }
    }
    let bytes = UnsafeRawBufferPointer(start: zmq_msg_data(&part), count: zmq_msg_size(&part))
    var copy = Part(bytes: Array(bytes), hasMore: zmq_msg_more(&part) != 0)
    // Elsewhere there is nothing to read: a client may claim any User-Id in its own greeting,
    // and only the authenticator's answer, which a CURVE server waits for, goes before that.
    if authenticator != nil { copy.userID = Socket.property("User-Id", of: &part) }
    if kind == .router { copy.address = Socket.property("Peer-Address", of: &part) ?? "" }
    return copy
  }

  /// `zmq_msg_gets`.
  ///
  /// - Returns: nil also for an empty text.
  private static func property(_ name: String, of part: inout zmq_msg_t) -> String? {
    guard let text = zmq_msg_gets(&part, name), text.pointee != 0 else { return nil }
    return String(cString: text)
  }
}
