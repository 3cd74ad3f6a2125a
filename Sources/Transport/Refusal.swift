internal import FlapCore

/// One attempt to join, or one message, that was turned away.
public struct Refusal: Hashable, Sendable {
  public enum Reason: Hashable, Sendable {
    /// The client proved that it owns this key, which is not allowed.
    case unknownKey(CurveKey)
    /// The client asks to be judged by something else than a key of CURVE.
    case otherMechanism
    /// The question was not one that the protocol (RFC 27) knows.
    case malformedRequest
    /// A message arrived by a way that no client can be authenticated on.
    case unidentifiedMessage
    /// A message of a client that may talk says nothing that can be understood.
    case unreadableMessage(String)
    /// A worker does not fit the run, in these words.
    case unfitWorker(String)
    /// ZeroMQ ended the handshake before a key was shown.
    case handshakeFailed(HandshakeFailure)
  }

  public enum HandshakeFailure: Hashable, Sendable {
    /// What the client sent was not sealed for this server's key.
    case keyDiffers
    /// The client asks for another mechanism, such as none.
    case mechanismDiffers
    /// The client speaks another protocol, or breaks this one: also by a frame above the limit.
    case protocolBroken
    /// The client was not done in 10 seconds, or nobody checks keys any more.
    case timedOut
    /// The client ended it: a probe of the port does so, and ZeroMQ when it is given no keys.
    case left
  }

  /// The peer's IP address; empty when it is not known, as that of a peer that was gone at once.
  public let address: String
  public let reason: Reason

  public init(address: String, reason: Reason) {
    self.address = address
    self.reason = reason
  }
}

extension Refusal: CustomStringConvertible {
  public var description: String {
    if case .unfitWorker(let line) = reason { return PlainText.line(line) }
    return "refused \(address.isEmpty ? "a peer of unknown address" : address): \(reason.text)"
  }
}

extension Refusal.Reason {
  fileprivate var text: String {
    switch self {
    case .unknownKey(let key): "its key \(key) is not allowed, or no longer"
    case .otherMechanism: "it does not use CURVE"
    case .malformedRequest: "its request to join is malformed"
    case .unidentifiedMessage: "its message comes without a proven key"
    case .unreadableMessage(let why), .unfitWorker(let why): PlainText.line(why)
    case .handshakeFailed(.keyDiffers):
      "it knows another server's key; give it the connection file of this run"
    case .handshakeFailed(.mechanismDiffers):
      "it does not encrypt; give it the connection file of this run"
    case .handshakeFailed(.left):
      "it left before it showed a key: a probe of the port, or a program that does not encrypt"
    case .handshakeFailed(.protocolBroken):
      "what it sends is no handshake of this program, or announces too large a frame"
    case .handshakeFailed(.timedOut): "its handshake took more than 10 seconds"
    }
  }
}
