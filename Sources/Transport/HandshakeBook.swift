internal import CZeroMQ

/// Tells from a server's events whom ZeroMQ turned away before a key was looked at.
///
/// The events come in their order from ZeroMQ's one I/O thread, but few say whose they are: a
/// failure belongs to the connection that is closed next, and a key that is judged to any of those
/// that are open. Some failures have no event of their own (other protocols, frames above the
/// limit): a connection that is closed while it cannot have been judged is such a one. What may
/// have been judged is passed over, so nobody is accused who had joined.
package struct HandshakeBook {
  private struct Connection {
    let address: String
    let acceptedAt: ContinuousClock.Instant
    let judgedBefore: Int
  }

  private var open: [Int32: Connection] = [:]
  private var judgedCount = 0
  private var failure: HandshakeEvent.Failure?

  package init() {}

  /// - Parameter address: of the peer, for an accepted connection; empty when it is not known.
  /// - Returns: whom the event shows to have been turned away.
  package mutating func take(
    _ event: HandshakeEvent, address: String = "", at now: ContinuousClock.Instant
  ) -> Refusal? {
    switch event {
    case .accepted(let descriptor):
      open[descriptor] = Connection(
        address: address, acceptedAt: now, judgedBefore: judgedCount)
    case .judged: judgedCount += 1
    case .failed(let failure): self.failure = failure
    case .closed(let descriptor):
      defer { failure = nil }
      let connection = open.removeValue(forKey: descriptor)
      guard let reason = reason(for: connection, at: now) else { return nil }
      return Refusal(address: connection?.address ?? "", reason: .handshakeFailed(reason))
    }
    return nil
  }

  private func reason(
    for connection: Connection?, at now: ContinuousClock.Instant
  ) -> Refusal.HandshakeFailure? {
    switch failure {
    case .peer(ZMQ_PROTOCOL_ERROR_ZMTP_CRYPTOGRAPHIC): .keyDiffers
    case .peer(ZMQ_PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH): .mechanismDiffers
    case .peer: .protocolBroken
    case .system:
      connection.map { now - $0.acceptedAt > Socket.handshakeLimit * 0.9 } == true
        ? .timedOut : .left
    case nil: connection?.judgedBefore == judgedCount ? .protocolBroken : nil
    }
  }
}
