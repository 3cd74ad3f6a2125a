/// One attempt to join, or one message, that ``Authenticator`` turned away.
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
  }

  /// The peer's IP address, or empty when it is not known.
  public let address: String
  public let reason: Reason

  public init(address: String, reason: Reason) {
    self.address = address
    self.reason = reason
  }
}

extension Refusal: CustomStringConvertible {
  public var description: String {
    "refused \(address.isEmpty ? "a peer" : address): \(reason.text)"
  }
}

extension Refusal.Reason {
  fileprivate var text: String {
    switch self {
    case .unknownKey(let key): "its key \(key) is not allowed, or no longer"
    case .otherMechanism: "it does not use CURVE"
    case .malformedRequest: "its request to join is malformed"
    case .unidentifiedMessage: "its message comes without a proven key"
    }
  }
}
