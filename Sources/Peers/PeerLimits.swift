internal import FlapCore
internal import Transport

/// How much is under way between two workers.
public enum PeerLimits {
  /// Requests of one client that are asked before the first is answered.
  public static let requestsInFlight = 8
  /// Replies that a server holds for a client that does not read. ZeroMQ hears of what was taken
  /// only half a limit at a time; twice the requests in flight are never more than that lets
  /// through, and no reply to an honest client is dropped.
  public static let repliesPerClient = 2 * requestsInFlight
  /// A good size of the parts of a large file. It matters little from 64 KiB to 1 MiB (measured):
  /// encryption takes most of the time. Over loopback both sides together need some 2.4 ns of a core
  /// per byte, and 0.6 without it.
  public static let partBytes = 512 << 10
  /// Connections that a client keeps for the next file.
  public static let keptConnections = 16

  /// A request has a header only, and what is not read at the end is of no use.
  static let ofServer = SocketLimits(
    receivedMessages: 64, sentMessages: repliesPerClient, frameBytes: Limits.headerFrameBytes,
    linger: .zero)
  static let ofClient = SocketLimits(
    receivedMessages: repliesPerClient, sentMessages: nil, linger: .zero)
}
