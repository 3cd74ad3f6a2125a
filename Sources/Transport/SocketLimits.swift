public import FlapCore

/// How much a ``Socket`` holds of what one peer sends or does not read.
public struct SocketLimits: Hashable, Sendable {
  /// Messages of one peer that are held or under way before the peer must wait; nil: no limit.
  public var receivedMessages: Int?
  /// Messages to one peer that are held while the peer takes none; nil: no limit.
  public var sentMessages: Int?
  /// Largest frame; the connection of who sends a larger one ends.
  public var frameBytes: Int
  /// What was sent last gets as long to leave when the socket is closed.
  public var linger: Duration

  public init(
    receivedMessages: Int?, sentMessages: Int?,
    frameBytes: Int = Limits.chunkBytes + Limits.headerFrameBytes,
    linger: Duration = .seconds(1)
  ) {
    self.receivedMessages = receivedMessages
    self.sentMessages = sentMessages
    self.frameBytes = frameBytes
    self.linger = linger
  }

  /// Between a coordinator's router and its workers, where flow is controlled by credits. An honest
  /// worker stays far below: it sends what it has credit for and a few words beside; a goodbye gets
  /// a second to leave.
  static func underCredits(of kind: Socket.Kind) -> SocketLimits {
    kind == .router
      ? SocketLimits(receivedMessages: 64, sentMessages: 1024)
      : SocketLimits(receivedMessages: nil, sentMessages: nil)
  }
}
