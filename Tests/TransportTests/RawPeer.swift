import Glibc

/// A TCP connection that speaks as it likes.
final class RawPeer {
  private let descriptor: Int32

  /// - Parameters:
  ///   - endpoint: `tcp://127.0.0.1:port`.
  ///   - patience: seconds after which sending or receiving is given up.
  init(endpoint: String, patience: Double = 5) throws {
    guard let port = endpoint.split(separator: ":").last.flatMap({ UInt16($0) }) else {
      throw NoConnection()
    }
    descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var patience = timeval(
      tv_sec: Int(patience), tv_usec: Int(patience.truncatingRemainder(dividingBy: 1) * 1e6))
    let size = socklen_t(MemoryLayout<timeval>.size)
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, size)
    setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &patience, size)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = inet_addr("127.0.0.1")
    let status = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    guard status == 0 else { throw NoConnection() }
  }

  deinit { close(descriptor) }

  struct NoConnection: Error {}

  /// - Returns: how many bytes went before the other side closed, or took none for too long.
  @discardableResult
  func send(_ bytes: [UInt8]) -> Int {
    var sent = 0
    while sent < bytes.count {
      let count = bytes[sent...].withUnsafeBytes {
        Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
      }
      guard count > 0 else { break }
      sent += count
    }
    return sent
  }

  func finishSending() { shutdown(descriptor, Int32(SHUT_WR)) }

  /// - Returns: whether as many bytes, or more, arrive.
  func receives(_ byteCount: Int) -> Bool {
    var bytes = [UInt8](repeating: 0, count: 4096)
    var received = 0
    while received < byteCount {
      let count = recv(descriptor, &bytes, bytes.count, 0)
      guard count > 0 else { return false }
      received += count
    }
    return true
  }

  /// - Returns: whether the other side closes the connection before its silence is too long.
  func isClosed() -> Bool {
    var bytes = [UInt8](repeating: 0, count: 4096)
    while true {
      let count = recv(descriptor, &bytes, bytes.count, 0)
      if count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR) { return true }
      if count < 0 && errno == EAGAIN { return false }
    }
  }
}

/// Bytes of ZMTP 3.0 (RFC 23).
enum ZMTP {
  static let greetingByteCount = 64

  static func greeting(mechanism: String, version: UInt8 = 3) -> [UInt8] {
    let name = Array(mechanism.utf8)
    let signature: [UInt8] = [0xFF, 0, 0, 0, 0, 0, 0, 0, 0, 0x7F]
    let padding = [UInt8](repeating: 0, count: 20 - name.count)
    return signature + [version, 0] + name + padding + [UInt8](repeating: 0, count: 32)
  }

  /// The flags and size of a frame whose size is written in 8 bytes.
  static func longHeader(isCommand: Bool, byteCount: UInt64) -> [UInt8] {
    [isCommand ? 0x06 : 0x02]
      + (0..<8).reversed().map { UInt8(truncatingIfNeeded: byteCount >> (8 * UInt64($0))) }
  }

  static func shortFrame(_ bytes: [UInt8], isCommand: Bool = false) -> [UInt8] {
    [isCommand ? 0x04 : 0x00, UInt8(bytes.count)] + bytes
  }

  /// READY, which ends the handshake of a peer without encryption.
  static func ready(properties: [String: String] = [:]) -> [UInt8] {
    let all = properties.merging(["Socket-Type": "DEALER"]) { own, _ in own }
    let fields = all.flatMap { name, value in
      [UInt8(name.utf8.count)] + name.utf8 + [0, 0, 0, UInt8(value.utf8.count)] + value.utf8
    }
    return shortFrame([5] + Array("READY".utf8) + fields, isCommand: true)
  }
}
