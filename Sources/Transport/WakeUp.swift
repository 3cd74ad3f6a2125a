internal import Glibc

/// Ends the wait of another thread: a descriptor to name among those of
/// ``Poller/wait(for:descriptors:timeout:)``.
///
/// It is a pipe(2) whose ends never block; an eventfd(2) would save one descriptor, but Swift's
/// Glibc module does not declare it.
public final class WakeUp: Sendable {
  /// Ready to read from ``signal()`` until ``drain()``.
  public let descriptor: Int32
  private let writeEnd: Int32

  public init() throws(TransportError) {
    var ends: [Int32] = [-1, -1]
    guard pipe(&ends) == 0 else { throw .last("create a wake-up descriptor") }
    (descriptor, writeEnd) = (ends[0], ends[1])
    for end in ends {
      // Both are flags of a descriptor just made: neither call can fail.
      _ = fcntl(end, F_SETFL, O_NONBLOCK)
      _ = fcntl(end, F_SETFD, FD_CLOEXEC)
    }
  }

  deinit {
    close(descriptor)
    close(writeEnd)
  }

  /// Wakes the waiting thread, or its next wait; from any thread.
  public func signal() {
    // Fails only when the pipe is full, and then it is ready to read already.
    while write(writeEnd, [1], 1) < 0, errno == EINTR {}
  }

  /// Forgets the signals so far; does not wait when there is none.
  public func drain() {
    var bytes = [UInt8](repeating: 0, count: 4096)
    while true {
      let count = read(descriptor, &bytes, bytes.count)
      guard count > 0 || (count < 0 && errno == EINTR) else { return }
    }
  }
}
