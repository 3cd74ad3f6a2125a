/// A message that arrived: whole, or not at all.
public struct Message: Hashable, Sendable {
  /// Who sent it: 1…255 bytes on a router, empty on a dealer.
  public var routingID: [UInt8]
  /// Its frames; none when it had more than `Limits.framesPerMessage` and was dropped.
  public var frames: [[UInt8]]
  /// The public key, in Z85, that the sender has proven to own: never nil at a CURVE server,
  /// always nil elsewhere.
  public var userID: String?

  /// The sender's IP address, on a router; empty when it is not known.
  public var address: String

  public init(
    routingID: [UInt8] = [], frames: [[UInt8]], userID: String? = nil, address: String = ""
  ) {
    self.routingID = routingID
    self.frames = frames
    self.userID = userID
    self.address = address
  }
}

/// What became of a message that was handed to ``Socket``.
public enum SendStatus: Hashable, Sendable {
  /// It is queued; ZeroMQ delivers it unless the connection breaks.
  case sent
  /// It was not taken; try again later.
  case wouldBlock
  /// No peer of that routing identity is connected.
  case unreachable
}
