import Foundation
import Testing

/// The port of `--metrics`, which anybody may reach.
@Suite(.serialized)
struct MetricsTests {
  private let endpoint = "tcp://127.0.0.1:39487"
  private let options = ["--quiet", "--metrics", "127.0.0.1:39487"]

  @Test("a head without an end, idle connections: closed, and others are answered all the while")
  func bounds() throws {
    let coordinator = try WaitingCoordinator(options)
    #expect(try isServed())
    // Far more than the head of a request: closed as soon as it is too long, without an answer.
    let endless = try #require(HostileConnection(endpoint: endpoint))
    endless.send(
      Array("GET /metrics HTTP/1.1\r\nX: ".utf8) + [UInt8](repeating: 0x41, count: 100_000))
    #expect(endless.receiveAll() == [])
    // Who says nothing is closed; a moment later at the latest there is room again.
    let idle = try (0..<24).map { _ in try #require(HostileConnection(endpoint: endpoint)) }
    for connection in idle { #expect(connection.receiveAll() == []) }
    #expect(try isServed())
    _ = try coordinator.finish()
  }

  @Test("one answer for each connection; what is not there is not found")
  func answers() throws {
    let coordinator = try WaitingCoordinator(options)
    #expect(try isServed())
    #expect(try answer("GET /metrics HTTP/1.1\r\n\r\n")?.hasPrefix("HTTP/1.1 200 OK\r\n") == true)
    for request in ["GET /etc/passwd HTTP/1.1", "POST /metrics HTTP/1.1", "x"] {
      let text = try #require(try answer(request + "\r\n\r\n"))
      #expect(text.hasPrefix("HTTP/1.1 404 Not Found\r\n"))
    }
    _ = try coordinator.finish()
  }

  /// Now or soon: tickets are there before the port is.
  private func isServed() throws -> Bool {
    for _ in 0..<200 {
      if HostileConnection(endpoint: endpoint) != nil { break }
      usleep(50_000)
    }
    return try answer("GET /metrics HTTP/1.1\r\n\r\n")?.contains(" 200 OK") == true
  }

  private func answer(_ request: String) throws -> String? {
    let connection = try #require(HostileConnection(endpoint: endpoint))
    connection.send(Array(request.utf8))
    return connection.receiveAll().map { String(decoding: $0, as: UTF8.self) }
  }
}
