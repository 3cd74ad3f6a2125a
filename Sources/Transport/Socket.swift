internal import CZeroMQ

/// A ZeroMQ socket (`zmq_socket`); one thread at a time may use it.
public struct Socket: ~Copyable {
  public struct Kind: Hashable, Sendable {
    /// Talks to many dealers, by their routing identities.
    public static let router = Kind(type: ZMQ_ROUTER)
    /// Talks to one router.
    public static let dealer = Kind(type: ZMQ_DEALER)
    /// Talks to one of its kind, within the process.
    static let pair = Kind(type: ZMQ_PAIR)

    fileprivate let type: Int32
  }

  let handle: UnsafeMutableRawPointer
  let kind: Kind
  /// Who checks the keys of a CURVE server's clients; nil for other sockets.
  let authenticator: Authenticator?
  /// Tells the authenticator who is turned away before it is asked.
  private let monitor: HandshakeMonitor?
  /// What ZeroMQ tells of attempts to connect, once that was asked for.
  private var connecting: ConnectingEvents?
  // Keeps the context: deinit closes the socket before this is released.
  private let context: MessagingContext

  /// - Parameters:
  ///   - routingID: a dealer's name at its router: 1…255 bytes, the first not zero; by default the
  ///     router picks one.
  ///   - security: a server's authenticator is kept for as long as the socket.
  ///   - limits: by default those between a coordinator and its workers.
  /// - Precondition: a server's authenticator is of the same `context`.
  public init(
    context: MessagingContext, kind: Kind, routingID: [UInt8]? = nil,
    security: SocketSecurity = .plain, limits: SocketLimits? = nil
  ) throws(TransportError) {
    var authenticator: Authenticator?
    if case .curveServer(_, let given) = security {
      precondition(given.context === context, "ZeroMQ asks the socket's own context only.")
      authenticator = given
    }
    guard let handle = zmq_socket(context.handle, kind.type) else {
      throw .last("create a socket")
    }
    do throws(TransportError) {
      try Socket.configure(
        handle, kind: kind, routingID: routingID, security: security,
        limits: limits ?? .underCredits(of: kind))
      var monitor: HandshakeMonitor?
      if let authenticator {
        monitor = try HandshakeMonitor(
          of: handle, context: context, ledger: authenticator.ledger)
      }
      self.monitor = monitor
    } catch {
      zmq_close(handle)
      throw error
    }
    self.handle = handle
    self.kind = kind
    self.context = context
    self.authenticator = authenticator
  }

  deinit {
    monitor?.end(of: handle)
    if connecting != nil { ConnectingEvents.end(of: handle) }
    zmq_close(handle)
  }

  /// Listens (`zmq_bind`).
  ///
  /// - Returns: the endpoint with its wildcards resolved (`tcp://127.0.0.1:*` gets a free port).
  public func bind(_ endpoint: String) throws(TransportError) -> String {
    try Socket.allowAddresses(of: endpoint, at: handle)
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
    try Socket.allowAddresses(of: endpoint, at: handle)
    guard zmq_connect(handle, endpoint) == 0 else { throw .last("connect to", endpoint: endpoint) }
  }

  /// From now on ``connectingState()`` knows more. To be called before ``connect(_:)``.
  public mutating func watchConnecting() throws(TransportError) {
    connecting = try ConnectingEvents(of: handle, context: context)
  }

  /// How far a connection is, as far as that was watched; to be asked every few minutes at least.
  public func connectingState() throws(TransportError) -> ConnectingState {
    try connecting?.state() ?? .unanswered
  }

  /// Stops listening at once (`zmq_unbind`); what is not bound to stays so.
  func unbind(_ endpoint: String) {
    zmq_unbind(handle, endpoint)
  }
}
