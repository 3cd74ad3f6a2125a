/// Answers the handshakes' questions until it is told to end.
struct AuthenticationThread: Sendable {
  private let thread: ServiceThread

  /// When this returns, the questions of every handshake find the thread.
  init(context: MessagingContext, ledger: AuthenticationLedger) throws(TransportError) {
    let socket = try Socket(context: context, kind: .router)
    _ = try socket.bind(AuthenticationRequest.endpoint)
    let wakeUp = try WakeUp()
    let loop = AuthenticationLoop(socket: socket, ledger: ledger, wakeUp: wakeUp)
    thread = try ServiceThread(purpose: "checks keys", wakeUp: wakeUp) { loop.run() }
  }

  /// Ends the thread and waits for it; once only.
  func end() { thread.end() }
}

/// What the thread runs. It owns the socket; the context outlives it, held by who ends the thread.
private final class AuthenticationLoop {
  // RFC 27 allows a router for the REP it speaks of: the answer is sent to who asked, and one
  // who left in between does not matter.
  private let socket: Socket
  private let ledger: AuthenticationLedger
  private let wakeUp: WakeUp

  init(socket: consuming Socket, ledger: AuthenticationLedger, wakeUp: WakeUp) {
    self.socket = socket
    self.ledger = ledger
    self.wakeUp = wakeUp
  }

  func run() {
    // Unbound at once; closing alone leaves the time of it to ZeroMQ's reaper thread.
    defer { socket.unbind(AuthenticationRequest.endpoint) }
    do throws(TransportError) {
      try answerUntilSignalled()
    } catch {
      // Nothing answers from here on, so every handshake fails.
      ledger.record(error)
    }
  }

  private func answerUntilSignalled() throws(TransportError) {
    while true {
      let ready = try Poller.wait(
        for: socket, descriptors: [wakeUp.descriptor], timeout: .seconds(3600))
      guard ready.isEmpty else { return }
      // One at a time: a flood of questions does not keep the thread from ending.
      guard let message = try socket.receive() else { continue }
      // The envelope of RFC 27's REQ: an empty frame before the question and its answer.
      let request = AuthenticationRequest(frames: Array(message.frames.dropFirst()))
      _ = try socket.send([[]] + ledger.answer(request), to: message.routingID)
    }
  }
}
