internal import Glibc

/// Who is at the other end of a TCP connection.
enum PeerAddress {
  /// The IP address of the peer (getpeername(2)); empty when the connection is gone.
  static func text(of descriptor: Int32) -> String {
    var address = sockaddr_storage()
    var byteCount = socklen_t(MemoryLayout<sockaddr_storage>.size)
    var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
    let isNamed = withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
        getpeername(descriptor, address, &byteCount) == 0
          && getnameinfo(
            address, byteCount, &text, socklen_t(text.count), nil, 0, NI_NUMERICHOST) == 0
      }
    }
    guard isNamed else { return "" }
    return String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
  }
}
