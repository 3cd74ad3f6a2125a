public import FlapCore
public import Storage
internal import Synchronization
public import Transport
internal import Wire

/// Gives parts of spooled files to other workers, on a thread of its own.
///
/// It waits for no client: what one does not read is held for it up to
/// ``PeerLimits/repliesPerClient``, and dropped beyond that. All methods may be called from any
/// thread.
public final class PeerServer: Sendable {
  /// Where clients connect, as `tcp://address:port`.
  public let endpoint: String
  private let ledger = PeerServerLedger()
  private let thread: Mutex<ServiceThread?>

  /// Listens at a free port.
  ///
  /// - Parameters:
  ///   - host: an address of this host, without brackets, or the name of a network interface.
  ///   - keys: nil for a run without encryption.
  ///   - find: the file of a digest, if there is one; called on the server's thread. It must not
  ///     hold the server, which would be ended by its own thread.
  /// - Throws: `TransportError` when the address is none of this host, or the system refuses a
  ///   thread.
  public init(
    host: String, keys: PeerKeys?, find: @escaping @Sendable (Digest) -> SpooledFile?
  ) throws(TransportError) {
    let context = try MessagingContext()
    let socket = try Socket(
      context: context, kind: .router,
      security: try keys?.serverSecurity(in: context) ?? .plain,
      limits: PeerLimits.ofServer)
    let place = host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]" : host
    endpoint = try socket.bind("tcp://\(place):*")
    let wakeUp = try WakeUp()
    let loop = PeerServerLoop(socket: socket, wakeUp: wakeUp, ledger: ledger, find: find)
    thread = Mutex(
      try ServiceThread(purpose: "serves other workers", wakeUp: wakeUp) { loop.run() })
  }

  deinit { stop() }

  /// Ends the thread and every connection; who asks from here on reaches nobody.
  public func stop() {
    thread.withLock { thread in
      thread?.end()
      thread = nil
    }
  }

  /// What ended the thread, other than ``stop()``: nobody is served any more. nil while it runs.
  public var failure: TransportError? { ledger.failure }
}

/// What a ``PeerServer`` and its thread share.
private final class PeerServerLedger: Sendable {
  private let state = Mutex<TransportError?>(nil)

  func record(_ failure: TransportError) { state.withLock { $0 = failure } }

  var failure: TransportError? { state.withLock { $0 } }
}

/// What the thread runs. It owns the socket, and with it the authenticator and the context: all of
/// them are gone when the thread is.
private final class PeerServerLoop {
  private let socket: Socket
  private let wakeUp: WakeUp
  private let ledger: PeerServerLedger
  private let find: @Sendable (Digest) -> SpooledFile?

  init(
    socket: consuming Socket, wakeUp: WakeUp, ledger: PeerServerLedger,
    find: @escaping @Sendable (Digest) -> SpooledFile?
  ) {
    self.socket = socket
    self.wakeUp = wakeUp
    self.ledger = ledger
    self.find = find
  }

  func run() {
    do throws(TransportError) {
      try answerUntilSignalled()
    } catch {
      ledger.record(error)
    }
  }

  private func answerUntilSignalled() throws(TransportError) {
    while true {
      let ready = try Poller.wait(
        for: socket, descriptors: [wakeUp.descriptor], timeout: .seconds(3600))
      guard ready.isEmpty else { return }
      // One at a time, client by client in turn: a flood does not keep the thread from ending.
      guard let message = try socket.receive() else { continue }
      // What is no request gets no answer.
      guard let request = try? WireCodec.decodePeerRequest(message.frames) else { continue }
      let reply = PeerReply(
        digest: request.digest, offset: request.offset, bytes: bytes(of: request))
      try socket.send(WireCodec.encode(reply), to: message.routingID)
    }
  }

  /// - Returns: nil also where reading fails: another worker may compute the file anew.
  private func bytes(of request: PeerRequest) -> [UInt8]? {
    guard let file = find(request.digest), request.range.upperBound <= file.byteCount else {
      return nil
    }
    return try? file.bytes(in: request.range)
  }
}
