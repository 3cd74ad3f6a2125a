internal import Chronicle
internal import FlyingSocks
internal import Foundation
internal import Synchronization

/// Serves the state of a run over HTTP, from threads that the run never waits for: `/metrics` for
/// Prometheus, `/status` for `flap-coord status`.
///
/// Anybody may reach the port, so all is bounded: how many connections are open, for how long, and
/// the head of a request. FlyingFox's own server (0.27) bounds none of them; only its sockets are
/// used.
final class MetricsServer: Sendable {
  let address: String
  private let text: Text
  private let task: Task<Void, any Error>

  private final class Text: Sendable {
    let metrics = Mutex("")
    let story = Mutex(RunStory())
  }

  /// - Parameter address: `ADDRESS:PORT`.
  /// - Throws: ``UsageError`` when it is not of that form or the port is in use.
  init(address: String) throws {
    let (host, port) = try MetricsServer.place(of: address)
    self.address = address
    let text = Text()
    self.text = text
    let socketAddress: any SocketAddress
    do {
      socketAddress =
        host.contains(":") ? try .inet6(ip6: host, port: port) : try .inet(ip4: host, port: port)
    } catch {
      throw UsageError("--metrics \(address): \(host) is no IP address")
    }
    do {
      let door = MetricsDoor(try MetricsDoor.listener(at: socketAddress)) { path in
        switch path {
        case "/metrics":
          .init(type: "text/plain; version=0.0.4", body: text.metrics.withLock { $0 })
        case "/status":
          .init(type: "application/json", body: MetricsServer.line(of: text.story.withLock { $0 }))
        default: nil
        }
      }
      task = Task { try await door.run() }
    } catch {
      throw UsageError("--metrics \(address): cannot listen there: \(error)")
    }
  }

  deinit { task.cancel() }

  /// - Returns: the address, an IPv6 one without its brackets.
  static func place(of address: String) throws -> (host: String, port: UInt16) {
    let listen: ListenAddress
    do { listen = try ListenAddress(address) } catch {
      throw UsageError("--metrics \(address): write ADDRESS:PORT, such as 127.0.0.1:9464")
    }
    guard let port = listen.port else {
      throw UsageError("--metrics \(address): name a port, such as \(address):9464")
    }
    let isBracketed = listen.host.hasPrefix("[")
    return (isBracketed ? String(listen.host.dropFirst().dropLast()) : listen.host, port)
  }

  private static func line(of story: RunStory) -> String {
    var event = RunEvent(.continued, at: .now)
    event.story = story
    return event.line
  }

  /// What is served from now on.
  func serve(_ metrics: String, _ story: RunStory) {
    text.metrics.withLock { $0 = metrics }
    text.story.withLock { $0 = story }
  }
}

extension SocketPool {
  /// Returns when the pool no longer has what it has told about: it forgets a descriptor a moment after
  /// it has woken the waiting task, and would not watch a new one by the same number (FlyingFox 0.27).
  fileprivate func settle() {}
}

/// The listening socket, and the connections that come through it: one request and one answer each.
private final class MetricsDoor: Sendable {
  /// Open at once; further ones are closed at once.
  private static let connectionLimit = 16
  /// From its beginning to the last byte of the answer.
  private static let connectionTime = Duration.seconds(5)
  /// Bytes of a request's head.
  private static let headLimit = 8 << 10

  struct Page {
    let type: String
    let body: String
  }

  private let listener: Socket
  private let page: @Sendable (_ path: String) -> Page?
  private let openCount = Mutex(0)

  init(_ listener: Socket, page: @escaping @Sendable (_ path: String) -> Page?) {
    self.listener = listener
    self.page = page
  }

  static func listener(at address: any SocketAddress) throws -> Socket {
    let socket = try Socket(domain: Int32(type(of: address).family), type: .stream)
    do {
      try socket.setValue(true, for: .localAddressReuse)
      try socket.bind(to: address)
      try socket.listen()
    } catch {
      try? socket.close()
      throw error
    }
    return socket
  }

  /// Answers until the task is cancelled.
  func run() async throws {
    defer { try? listener.close() }
    let pool: SocketPool<ePoll> = .ePoll()
    try await pool.prepare()
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await pool.run() }
      group.addTask { [self] in try await accept(with: pool) }
      try await group.next()
    }
  }

  private func accept(with pool: SocketPool<ePoll>) async throws {
    let listener = try AsyncSocket(socket: self.listener, pool: pool)
    try await withThrowingDiscardingTaskGroup { group in
      while true {
        try Task.checkCancellation()
        let socket: AsyncSocket
        do { socket = try await listener.accept() } catch {
          // Out of descriptors, perhaps: later there are some again.
          try await Task.sleep(for: .milliseconds(100))
          continue
        }
        let isFull = openCount.withLock { count in
          if count < MetricsDoor.connectionLimit { count += 1 } else { return true }
          return false
        }
        guard !isFull else {
          try? socket.close()
          continue
        }
        group.addTask { [self] in await serve(socket, pool) }
      }
    }
  }

  private func serve(_ socket: AsyncSocket, _ pool: SocketPool<ePoll>) async {
    _ = try? await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { [self] in try await answer(socket) }
      group.addTask { try await Task.sleep(for: MetricsDoor.connectionTime) }
      try await group.next()
      group.cancelAll()
    }
    await pool.settle()
    try? socket.close()
    openCount.withLock { $0 -= 1 }
  }

  private func answer(_ socket: AsyncSocket) async throws {
    let request = try await requestLine(from: socket)
    let words = request.split(separator: " ")
    let path = words.last?.prefix { $0 != "?" } ?? ""
    let found = words.first == "GET" ? page(String(path)) : nil
    let answer = found ?? Page(type: "text/plain", body: "GET /metrics or /status\n")
    let response =
      "HTTP/1.1 \(found == nil ? "404 Not Found" : "200 OK")\r\n"
      + "Content-Type: \(answer.type)\r\nContent-Length: \(answer.body.utf8.count)\r\n"
      + "Connection: close\r\n\r\n\(answer.body)"
    try await socket.write(Data(response.utf8))
  }

  /// Reads a request's head.
  /// - Returns: its method and target.
  /// - Throws: when it is too long, or the connection ends before it does.
  private func requestLine(from socket: AsyncSocket) async throws -> String {
    var head: [UInt8] = []
    let end = Array("\r\n\r\n".utf8)
    while true {
      // The end may have come in two parts.
      let known = max(0, head.count - end.count)
      head += try await socket.read(atMost: MetricsDoor.headLimit + 1 - head.count)
      if head[known...].contains(end) { break }
      guard head.count <= MetricsDoor.headLimit else { throw SocketError.disconnected }
    }
    let line = String(decoding: head.prefix { $0 != UInt8(ascii: "\r") }, as: UTF8.self)
    return line.split(separator: " ").prefix(2).joined(separator: " ")
  }
}
