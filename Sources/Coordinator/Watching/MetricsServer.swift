internal import Chronicle
internal import FlyingFox
internal import FlyingSocks
internal import Foundation
internal import Synchronization

/// Serves the state of a run over HTTP, from threads that the run never waits for: `/metrics` for
/// Prometheus, `/status` for `flap-coord status`.
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
    let outcome = Outcome()
    let server = HTTPServer(address: socketAddress, logger: .disabled)
    task = Task {
      await server.appendRoute("GET /metrics") { _ in
        HTTPResponse(
          statusCode: .ok, headers: [.contentType: "text/plain; version=0.0.4"],
          body: Data(text.metrics.withLock { $0 }.utf8))
      }
      await server.appendRoute("GET /status") { _ in
        var event = RunEvent(.continued, at: .now)
        event.story = text.story.withLock { $0 }
        return HTTPResponse(
          statusCode: .ok, headers: [.contentType: "application/json"],
          body: Data(event.line.utf8))
      }
      do { try await server.run() } catch { outcome.report("\(error)") }
    }
    Task {
      try await server.waitUntilListening()
      outcome.report(nil)
    }
    if let failure = outcome.wait() {
      throw UsageError("--metrics \(address): cannot listen there: \(failure)")
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

  /// What is served from now on.
  func serve(_ metrics: String, _ story: RunStory) {
    text.metrics.withLock { $0 = metrics }
    text.story.withLock { $0 = story }
  }

  /// Whether the server came up, told from its task to the thread that starts it.
  private final class Outcome: Sendable {
    private let failure = Mutex<String?>(nil)
    private let isKnown = DispatchSemaphore(value: 0)

    func report(_ failure: String?) {
      self.failure.withLock { $0 = failure }
      isKnown.signal()
    }

    func wait() -> String? {
      guard isKnown.wait(timeout: .now() + 5) == .success else { return "no answer" }
      return failure.withLock { $0 }
    }
  }
}
