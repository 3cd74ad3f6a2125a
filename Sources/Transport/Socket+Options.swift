internal import CZeroMQ
internal import FlapCore

extension Socket {
  /// A peer that has not shown its key by then is dropped.
  static let handshakeLimit = Duration.seconds(10)

  static func configure(
    _ handle: UnsafeMutableRawPointer, kind: Kind, routingID: [UInt8]?, security: SocketSecurity,
    limits: SocketLimits
  ) throws(TransportError) {
    try set(handle, ZMQ_LINGER, "LINGER", Int32(clamping: Int64(limits.linger / .milliseconds(1))))
    // Flow is controlled by credits. A router's marks are above them, for peers that do not keep
    // to them: such a one is no longer read from (TCP holds it up, nothing is lost), and what it
    // does not read is not sent. They lose data only together with ZMQ_HEARTBEAT_IVL (measured),
    // which takes a peer that is held up for a dead one and is left off.
    try set(handle, ZMQ_SNDHWM, "SNDHWM", Int32(clamping: limits.sentMessages ?? 0))
    try set(handle, ZMQ_RCVHWM, "RCVHWM", Int32(clamping: limits.receivedMessages ?? 0))
    // A peer that fails is tried again after 0.5 to 1 s, then ever later up to 30 s. One that
    // listens, and turns this one away, begins that anew (measured, libzmq 4.3.4).
    try set(handle, ZMQ_RECONNECT_IVL, "RECONNECT_IVL", 500)
    try set(handle, ZMQ_RECONNECT_IVL_MAX, "RECONNECT_IVL_MAX", 30_000)
    try set(
      handle, ZMQ_HANDSHAKE_IVL, "HANDSHAKE_IVL", Int32(handshakeLimit / .milliseconds(1)))
    // Off: a hello is queued although the connection is still being made.
    try set(handle, ZMQ_IMMEDIATE, "IMMEDIATE", 0)
    // A larger frame ends the connection before it takes memory, also before the peer has shown
    // a key; the default is no bound.
    var largestFrame = Int64(limits.frameBytes)
    guard zmq_setsockopt(handle, ZMQ_MAXMSGSIZE, &largestFrame, MemoryLayout<Int64>.size) == 0
    else { throw .last("set the socket option MAXMSGSIZE") }
    if kind == .router {
      // Without it, a message to a peer that is gone is dropped and called sent.
      try set(handle, ZMQ_ROUTER_MANDATORY, "ROUTER_MANDATORY", 1)
    }
    if let routingID { try setRoutingIdentity(handle, routingID) }
    try secure(handle, with: security)
  }

  /// An IPv6 address is taken only by a socket that is told so; a name stays one of IPv4.
  static func allowAddresses(
    of endpoint: String, at handle: UnsafeMutableRawPointer
  ) throws(TransportError) {
    if endpoint.hasPrefix("tcp://[") { try set(handle, ZMQ_IPV6, "IPV6", 1) }
  }

  private static func setRoutingIdentity(
    _ handle: UnsafeMutableRawPointer, _ routingID: [UInt8]
  ) throws(TransportError) {
    // ZeroMQ takes a first zero here, though names that begin so are its own.
    guard routingID.first != 0 else {
      throw TransportError(
        operation: "set the routing identity", code: EINVAL, text: "it begins with a zero byte")
    }
    guard zmq_setsockopt(handle, ZMQ_ROUTING_ID, routingID, routingID.count) == 0 else {
      throw .last("set the routing identity")
    }
  }

  // MARK: Security

  private static func secure(
    _ handle: UnsafeMutableRawPointer, with security: SocketSecurity
  ) throws(TransportError) {
    switch security {
    case .plain: break
    case .curveServer(let secretKey, _):
      try set(handle, ZMQ_CURVE_SERVER, "CURVE_SERVER", 1)
      try set(handle, ZMQ_CURVE_SECRETKEY, "CURVE_SECRETKEY", secretKey.bytes)
      try set(handle, ZMQ_ZAP_DOMAIN, "ZAP_DOMAIN", Array(AuthenticationRequest.domain.utf8))
      // Without it, ZeroMQ accepts every key while nothing answers its questions (measured).
      guard (try? set(handle, ZMQ_ZAP_ENFORCE_DOMAIN, "ZAP_ENFORCE_DOMAIN", 1)) != nil else {
        throw TransportError(
          operation: "listen with CURVE", code: ENOTSUP,
          text: "this libzmq cannot refuse clients while their keys cannot be checked "
            + "(ZAP_ENFORCE_DOMAIN); install libzmq 4.3.1 or later")
      }
    case .curveClient(let server, let pair):
      try set(handle, ZMQ_CURVE_SERVERKEY, "CURVE_SERVERKEY", server.bytes)
      try set(handle, ZMQ_CURVE_PUBLICKEY, "CURVE_PUBLICKEY", pair.publicKey.bytes)
      try set(handle, ZMQ_CURVE_SECRETKEY, "CURVE_SECRETKEY", pair.secretKey.bytes)
    }
  }

  // MARK: zmq_setsockopt

  private static func set(
    _ handle: UnsafeMutableRawPointer, _ option: Int32, _ name: String, _ value: Int32
  ) throws(TransportError) {
    var value = value
    guard zmq_setsockopt(handle, option, &value, MemoryLayout<Int32>.size) == 0 else {
      throw .last("set the socket option \(name)")
    }
  }

  private static func set(
    _ handle: UnsafeMutableRawPointer, _ option: Int32, _ name: String, _ value: [UInt8]
  ) throws(TransportError) {
    guard zmq_setsockopt(handle, option, value, value.count) == 0 else {
      throw .last("set the socket option \(name)")
    }
  }
}
