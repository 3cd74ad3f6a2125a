internal import Transport
internal import Wire

/// A client's connection to one server.
final class PeerConnection {
  let endpoint: String
  private var socket: Socket
  private var hasConnected = false

  /// How often a wait looks whether it is still wanted, and its connection there.
  private static let lookInterval = Duration.milliseconds(50)

  init(
    to endpoint: String, context: MessagingContext, security: SocketSecurity
  ) throws(TransportError) {
    self.endpoint = endpoint
    socket = try Socket(
      context: context, kind: .dealer, security: security, limits: PeerLimits.ofClient)
    try socket.watchConnecting()
    try socket.connect(endpoint)
  }

  deinit {
    // Closing waits for ZeroMQ, and ZeroMQ would for somebody to read what it told in hours of
    // trying.
    _ = try? socket.connectingState()
  }

  /// Whether it can be used again; to be asked now and then while it is not in use.
  func isConnected() -> Bool { (try? socket.connectingState()) == .connected }

  func ask(_ request: PeerRequest) throws(TransportError) {
    try socket.send(WireCodec.encode(request))
  }

  /// The next reply, waited for.
  ///
  /// - Throws: ``PeerError`` when there is none within `patience`, the connection breaks, or
  ///   `isAbandoned` says so.
  func next(patience: Duration, isAbandoned: () -> Bool) throws -> PeerReply {
    let deadline = ContinuousClock.now + patience
    while true {
      if isAbandoned() { throw PeerError.abandoned }
      if let reply = try receive() { return reply }
      let isConnected = try socket.connectingState() == .connected
      if isConnected { hasConnected = true }
      if hasConnected, !isConnected {
        // What came before the break counts; what was asked and not answered is lost.
        guard let reply = try receive() else { throw PeerError.unreachable(endpoint: endpoint) }
        return reply
      }
      let rest = deadline - .now
      guard rest > .zero else {
        throw isConnected
          ? PeerError.silent(endpoint: endpoint) : PeerError.unreachable(endpoint: endpoint)
      }
      _ = try Poller.wait(
        for: socket, descriptors: [], timeout: min(rest, PeerConnection.lookInterval))
    }
  }

  private func receive() throws -> PeerReply? {
    guard let message = try socket.receive() else { return nil }
    hasConnected = true
    do {
      return try WireCodec.decodePeerReply(message.frames)
    } catch {
      throw PeerError.malformed(endpoint: endpoint, reason: "\(error)")
    }
  }
}
