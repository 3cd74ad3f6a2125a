internal import CZeroMQ
internal import FlapCore

/// A ZeroMQ socket (`zmq_socket`); one thread at a time may use it.
public struct Socket: ~Copyable {
  public enum Kind: Hashable, Sendable {
    /// Talks to many dealers, by their routing identities.
    case router
    /// Talks to one router.
    case dealer
  }

  let handle: UnsafeMutableRawPointer
  let kind: Kind
  // Keeps the context: deinit closes the socket before this is released.
  private let context: MessagingContext

  /// - Parameter routingID: a dealer's name at its router: 1…255 bytes, the first not zero; by
  ///   default the router picks one.
  public init(
    context: MessagingContext, kind: Kind, routingID: [UInt8]? = nil
  ) throws(TransportError) {
    guard let handle = zmq_socket(context.handle, kind == .router ? ZMQ_ROUTER : ZMQ_DEALER)
    else { throw .last("create a socket") }
    do throws(TransportError) {
      try Socket.configure(handle, kind: kind, routingID: routingID)
    } catch {
      zmq_close(handle)
      throw error
    }
    self.handle = handle
    self.kind = kind
    self.context = context
  }

  deinit { zmq_close(handle) }

  /// Listens (`zmq_bind`).
  ///
  /// - Returns: the endpoint with its wildcards resolved (`tcp://127.0.0.1:*` gets a free port).
  public func bind(_ endpoint: String) throws(TransportError) -> String {
    guard zmq_bind(handle, endpoint) == 0 else { throw .last("bind", endpoint: endpoint) }
    var resolved = [CChar](repeating: 0, count: 1024)
    var byteCount = resolved.count
    guard zmq_getsockopt(handle, ZMQ_LAST_ENDPOINT, &resolved, &byteCount) == 0 else {
      throw .last("read the endpoint bound to", endpoint: endpoint)
    }
    return String(
      decoding: resolved.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
  }

  /// Connects in the background, again and again (`zmq_connect`): a peer that does not answer yet
  /// is no error.
  public func connect(_ endpoint: String) throws(TransportError) {
    guard zmq_connect(handle, endpoint) == 0 else { throw .last("connect to", endpoint: endpoint) }
  }
}

extension Socket {
  private static func configure(
    _ handle: UnsafeMutableRawPointer, kind: Kind, routingID: [UInt8]?
  ) throws(TransportError) {
    func set(_ option: Int32, _ name: String, _ value: Int32) throws(TransportError) {
      var value = value
      guard zmq_setsockopt(handle, option, &value, MemoryLayout<Int32>.size) == 0 else {
        throw .last("set the socket option \(name)")
      }
    }
    // What was sent last (a goodbye) gets a second to leave.
    try set(ZMQ_LINGER, "LINGER", 1000)
    // Flow is controlled by credits. A high-water mark would drop or block on top of them, and
    // a small one together with a stalled reader was measured to lose data.
    try set(ZMQ_SNDHWM, "SNDHWM", 0)
    try set(ZMQ_RCVHWM, "RCVHWM", 0)
    // A peer that fails is tried again after 100 ms, then ever later up to 30 s.
    try set(ZMQ_RECONNECT_IVL, "RECONNECT_IVL", 100)
    try set(ZMQ_RECONNECT_IVL_MAX, "RECONNECT_IVL_MAX", 30_000)
    // Off: a hello is queued although the connection is still being made.
    try set(ZMQ_IMMEDIATE, "IMMEDIATE", 0)
    // A larger frame ends the connection before it takes memory; the default is no bound.
    var largestFrame = Int64(Limits.chunkBytes + Limits.headerFrameBytes)
    guard zmq_setsockopt(handle, ZMQ_MAXMSGSIZE, &largestFrame, MemoryLayout<Int64>.size) == 0
    else { throw .last("set the socket option MAXMSGSIZE") }
    if kind == .router {
      // Without it, a message to a peer that is gone is dropped and called sent.
      try set(ZMQ_ROUTER_MANDATORY, "ROUTER_MANDATORY", 1)
    }
    if let routingID {
      // ZeroMQ takes a first zero here, though names that begin so are its own.
      guard routingID.first != 0 else {
        throw TransportError(
          operation: "set the routing identity", code: EINVAL, text: "it begins with a zero byte")
      }
      guard zmq_setsockopt(handle, ZMQ_ROUTING_ID, routingID, routingID.count) == 0 else {
        throw .last("set the routing identity")
      }
    }
  }
}
