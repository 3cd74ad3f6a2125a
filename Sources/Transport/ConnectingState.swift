internal import CZeroMQ

/// How far a dealer's connection to its router is.
public enum ConnectingState: Hashable, Sendable {
  /// No answer so far.
  case unanswered
  /// The host says that nobody listens there.
  case refused
  /// Somebody listens and ended the handshake: the keys are not those of the run.
  case turnedAway
  case connected
}

/// Reads what ZeroMQ tells of a dealer's attempts to connect (`zmq_socket_monitor`, version 1).
///
/// While nobody reads, ZeroMQ stands still at the 2000th event; there are some four per second at
/// the most.
final class ConnectingEvents {
  private let events: Socket
  private var last = ConnectingState.unanswered

  private static let mask =
    ZMQ_EVENT_CLOSED | ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_HANDSHAKE_SUCCEEDED
    | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL
    | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL

  init(of dealer: UnsafeMutableRawPointer, context: MessagingContext) throws(TransportError) {
    let endpoint = "inproc://flap-connecting-\(UInt(bitPattern: dealer))"
    events = try Socket(context: context, kind: .pair)
    guard zmq_socket_monitor(dealer, endpoint, ConnectingEvents.mask) == 0 else {
      throw .last("watch a connection")
    }
    do throws(TransportError) {
      try events.connect(endpoint)
    } catch {
      ConnectingEvents.end(of: dealer)
      throw error
    }
  }

  /// To be called before the dealer is closed.
  static func end(of dealer: UnsafeMutableRawPointer) { zmq_socket_monitor(dealer, nil, 0) }

  /// After all that has happened until now.
  func state() throws(TransportError) -> ConnectingState {
    while let message = try events.receive() {
      guard let frame = message.frames.first, frame.count == 6 else { continue }
      let event = frame.withUnsafeBytes { Int32($0.loadUnaligned(as: UInt16.self)) }
      switch event {
      case ZMQ_EVENT_HANDSHAKE_SUCCEEDED: last = .connected
      case ZMQ_EVENT_CLOSED: last = .refused
      // It follows a handshake that failed, too.
      case ZMQ_EVENT_DISCONNECTED: if last == .connected { last = .unanswered }
      default: last = .turnedAway
      }
    }
    return last
  }
}
