import Glibc

/// A TCP connection over which anything is sent.
final class HostileConnection {
  private let descriptor: Int32

  /// The greeting of a peer that has keys (ZMTP 3.0, RFC 23), or of another mechanism.
  static func greeting(mechanism: String = "CURVE") -> [UInt8] {
    let name = Array(mechanism.utf8)
    return [0xFF, 0, 0, 0, 0, 0, 0, 0, 0, 0x7F, 3, 0] + name
      + [UInt8](repeating: 0, count: 52 - name.count)
  }

  /// The head of a frame whose length takes 8 bytes.
  static func frameHead(byteCount: UInt64) -> [UInt8] {
    [0x02] + (0..<8).reversed().map { UInt8(truncatingIfNeeded: byteCount >> (8 * UInt64($0))) }
  }

  /// - Parameter endpoint: `tcp://127.0.0.1:port`.
  init?(endpoint: String) {
    guard let port = endpoint.split(separator: ":").last.flatMap({ UInt16($0) }) else {
      return nil
    }
    descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var patience = timeval(tv_sec: 5, tv_usec: 0)
    setsockopt(
      descriptor, SOL_SOCKET, SO_SNDTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
    patience.tv_sec = 30
    setsockopt(
      descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = inet_addr("127.0.0.1")
    let status = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    guard status == 0 else {
      close(descriptor)
      return nil
    }
    // Who is gone as soon as it came has no name in the log; who takes a moment has one.
    usleep(50_000)
  }

  deinit { close(descriptor) }

  /// All that comes until the other side closes; nil when it does not for long.
  func receiveAll() -> [UInt8]? {
    var all: [UInt8] = []
    var bytes = [UInt8](repeating: 0, count: 64 << 10)
    while true {
      let count = recv(descriptor, &bytes, bytes.count, 0)
      if count == 0 || (count < 0 && errno == ECONNRESET) { return all }
      guard count > 0 else { return nil }
      all += bytes[..<count]
    }
  }

  /// - Returns: whether all went before the other side closed.
  @discardableResult
  func send(_ bytes: [UInt8]) -> Bool {
    var sent = 0
    while sent < bytes.count {
      let count = bytes[sent...].withUnsafeBytes {
        Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
      }
      guard count > 0 else { return false }
      sent += count
    }
    return true
  }
}
