internal import CZeroMQ

/// Records whom ZeroMQ turns away from a CURVE server before the ``Authenticator`` is asked.
///
/// The events are read on a thread of their own: while nobody reads them, ZeroMQ's I/O thread
/// stands still at the 2000th (measured), and with it every worker.
struct HandshakeMonitor: Sendable {
  private let thread: ServiceThread

  /// - Parameter server: bound later, so that no event is missed.
  init(
    of server: UnsafeMutableRawPointer, context: MessagingContext, ledger: AuthenticationLedger
  ) throws(TransportError) {
    let endpoint = "inproc://flap-handshakes-\(UInt(bitPattern: server))"
    let events = try Socket(context: context, kind: .pair)
    let wakeUp = try WakeUp()
    guard zmq_socket_monitor(server, endpoint, HandshakeEvent.mask) == 0 else {
      throw .last("watch handshakes")
    }
    do throws(TransportError) {
      try events.connect(endpoint)
      let loop = HandshakeLoop(events: events, ledger: ledger, wakeUp: wakeUp)
      thread = try ServiceThread(purpose: "watches handshakes", wakeUp: wakeUp) { loop.run() }
    } catch {
      zmq_socket_monitor(server, nil, 0)
      throw error
    }
  }

  /// To be called before the server is closed, on its thread; once only.
  func end(of server: UnsafeMutableRawPointer) {
    // The thread goes on reading until ZeroMQ sends nothing more, so neither waits for the other.
    zmq_socket_monitor(server, nil, 0)
    thread.end()
  }
}

/// What the thread runs.
private final class HandshakeLoop {
  private let events: Socket
  private let ledger: AuthenticationLedger
  private let wakeUp: WakeUp
  private var book = HandshakeBook()

  private static let batchLimit = 256

  init(events: consuming Socket, ledger: AuthenticationLedger, wakeUp: WakeUp) {
    self.events = events
    self.ledger = ledger
    self.wakeUp = wakeUp
  }

  func run() {
    do throws(TransportError) {
      while true {
        let ready = try Poller.wait(
          for: events, descriptors: [wakeUp.descriptor], timeout: .seconds(3600))
        guard ready.isEmpty else { return }
        record(try nextBatch())
      }
    } catch {
      // Only when memory or the context is gone, and then the server fails too.
      ledger.record(error)
    }
  }

  private func nextBatch() throws(TransportError) -> [HandshakeEvent] {
    var batch: [HandshakeEvent] = []
    while batch.count < HandshakeLoop.batchLimit, let message = try events.receive() {
      if let event = message.frames.first.flatMap(HandshakeEvent.init(frame:)) {
        batch.append(event)
      }
    }
    return batch
  }

  private func record(_ batch: [HandshakeEvent]) {
    // An address must be asked for while the connection is open. Of several connections that had
    // one descriptor, one after the other, only the last can be.
    var addresses: [Int: String] = [:]
    var later: Set<Int32> = []
    for (index, event) in batch.enumerated().reversed() {
      guard case .accepted(let descriptor) = event, later.insert(descriptor).inserted else {
        continue
      }
      addresses[index] = PeerAddress.text(of: descriptor)
    }
    let now = ContinuousClock.now
    for (index, event) in batch.enumerated() {
      if let refusal = book.take(event, address: addresses[index] ?? "", at: now) {
        ledger.record(refusal)
      }
    }
  }
}
