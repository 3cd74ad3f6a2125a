internal import CZeroMQ

/// Waits until there is something to read (`zmq_poll`).
public enum Poller {
  /// Waits for a message at `socket`, for input or a hang-up at one of `descriptors`, or for
  /// `timeout`; a signal to the process also ends the wait.
  ///
  /// - Parameter timeout: rounded up to milliseconds; nothing or less does not wait.
  /// - Returns: those of `descriptors` that are ready. Whether `socket` is, its
  ///   ``Socket/receive()`` tells.
  public static func wait(
    for socket: borrowing Socket, descriptors: [Int32], timeout: Duration
  ) throws(TransportError) -> Set<Int32> {
    var items = [
      zmq_pollitem_t(socket: socket.handle, fd: 0, events: Int16(ZMQ_POLLIN), revents: 0)
    ]
    for descriptor in descriptors {
      items.append(
        zmq_pollitem_t(socket: nil, fd: descriptor, events: Int16(ZMQ_POLLIN), revents: 0))
    }
    let count = zmq_poll(&items, Int32(items.count), milliseconds(of: timeout))
    if count < 0 {
      guard zmq_errno() == EINTR else { throw .last("wait for messages") }
      return []
    }
    return Set(items.dropFirst().filter { $0.revents != 0 }.map(\.fd))
  }

  /// Rounded up, so that a timer is due when its wait ends; within what poll(2) takes.
  private static func milliseconds(of timeout: Duration) -> Int {
    guard timeout > .zero else { return 0 }
    guard timeout < .milliseconds(Int32.max) else { return Int(Int32.max) }
    let (seconds, attoseconds) = timeout.components
    let attosecondsPerMillisecond: Int64 = 1_000_000_000_000_000
    let rest = (attoseconds + attosecondsPerMillisecond - 1) / attosecondsPerMillisecond
    return Int(seconds * 1000 + rest)
  }
}
