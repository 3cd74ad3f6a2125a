internal import Glibc

/// Why nothing was fetched.
public struct FetchError: Error, Hashable, Sendable, CustomStringConvertible {
  public let description: String
}

extension Host {
  /// GETs a resource over HTTP/1.1, without encryption, from a server of this program's own.
  ///
  /// - Parameters:
  ///   - host: an address; an IPv6 one without brackets.
  ///   - limit: of the answer's bytes, its header included.
  ///   - time: of the whole exchange.
  /// - Returns: the body.
  /// - Throws: ``FetchError``.
  public static func fetch(
    _ path: String, from host: String, port: UInt16, limit: Int, within time: Duration
  ) throws(FetchError) -> [UInt8] {
    let deadline = ContinuousClock.now + time
    let connection = try open(host, port, time)
    defer { close(connection) }
    let request = Array("GET \(path) HTTP/1.1\r\nHost: flap\r\nConnection: close\r\n\r\n".utf8)
    guard send(connection, request, request.count, Int32(MSG_NOSIGNAL)) == request.count
    else { throw FetchError(description: String(cString: strerror(errno))) }
    var answer: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 64 << 10)
    while true {
      if let body = try body(of: answer) { return body }
      let count = recv(connection, &chunk, chunk.count, 0)
      guard count > 0 else {
        throw FetchError(
          description: count < 0 ? String(cString: strerror(errno)) : "its answer ends early")
      }
      answer += chunk[..<count]
      guard answer.count <= limit else { throw FetchError(description: "its answer is too long") }
      guard ContinuousClock.now < deadline else {
        throw FetchError(description: "its answer takes too long")
      }
    }
  }

  private static func open(_ host: String, _ port: UInt16, _ limit: Duration) throws(FetchError)
    -> Int32
  {
    var hints = addrinfo()
    hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    var found: UnsafeMutablePointer<addrinfo>?
    let code = getaddrinfo(host, String(port), &hints, &found)
    guard code == 0, let info = found?.pointee else {
      throw FetchError(description: String(cString: gai_strerror(code)))
    }
    defer { freeaddrinfo(found) }
    let connection = socket(info.ai_family, info.ai_socktype | Int32(SOCK_CLOEXEC.rawValue), 0)
    var wait = timeval(tv_sec: Int(limit.components.seconds), tv_usec: 0)
    let size = socklen_t(MemoryLayout<timeval>.size)
    // The one for sending holds for connect, too (socket(7)).
    setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &wait, size)
    setsockopt(connection, SOL_SOCKET, SO_SNDTIMEO, &wait, size)
    guard connection >= 0, connect(connection, info.ai_addr, info.ai_addrlen) == 0 else {
      let reason = errno == EINPROGRESS ? "no answer" : String(cString: strerror(errno))
      if connection >= 0 { close(connection) }
      throw FetchError(description: reason)
    }
    return connection
  }

  /// - Returns: nil while something is missing.
  private static func body(of answer: [UInt8]) throws(FetchError) -> [UInt8]? {
    let text = String(decoding: answer.prefix(8 << 10), as: UTF8.self)
    guard let end = text.firstRange(of: "\r\n\r\n") else { return nil }
    let lines = text[..<end.lowerBound].split(separator: "\r\n")
    guard lines.first?.split(separator: " ").dropFirst().first == "200" else {
      throw FetchError(description: "it answers \(lines.first.map(String.init) ?? "nothing")")
    }
    let name = "content-length:"
    let length = lines.first { $0.lowercased().hasPrefix(name) }
      .flatMap { Int($0.dropFirst(name.count).drop(while: \.isWhitespace)) }
    guard let length else { throw FetchError(description: "its answer has no length") }
    let start = text[..<end.upperBound].utf8.count
    guard length >= 0, answer.count - start >= length else { return nil }
    return Array(answer[start..<(start + length)])
  }
}
