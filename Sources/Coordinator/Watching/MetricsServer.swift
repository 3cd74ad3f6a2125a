internal import FlyingFox
internal import FlyingSocks
internal import Foundation
internal import Synchronization

/// Serves the metrics of a run over HTTP, from threads that the run never waits for.
final class MetricsServer: Sendable {
  let address: String
  private let text: Text
  private let task: Task<Void, any Error>

  private final class Text: Sendable {
    let current = Mutex("")
    let lastUpdate = Mutex(ContinuousClock.now - .seconds(1))
  }

  /// How old what is served may be.
  private static let interval = Duration.milliseconds(500)

  /// - Parameter address: `ADDRESS:PORT`.
  /// - Throws: ``UsageError`` when it is not of that form or the port is in use.
  init(address: String) throws {
    let listen: ListenAddress
    do { listen = try ListenAddress(address) } catch {
      throw UsageError("--metrics \(address): write ADDRESS:PORT, such as 127.0.0.1:9464")
    }
    guard let port = listen.port else {
      throw UsageError("--metrics \(address): name a port, such as \(address):9464")
    }
    self.address = address
    let text = Text()
    self.text = text
    let socketAddress: any SocketAddress
    do {
      socketAddress =
        listen.host.hasPrefix("[")
        ? try .inet6(ip6: String(listen.host.dropFirst().dropLast()), port: port)
        : try .inet(ip4: listen.host, port: port)
    } catch {
      throw UsageError("--metrics \(address): \(listen.host) is no IP address")
    }
    let outcome = Outcome()
    let server = HTTPServer(address: socketAddress, logger: .disabled)
    task = Task {
      await server.appendRoute("GET /metrics") { _ in
        HTTPResponse(
          statusCode: .ok, headers: [.contentType: "text/plain; version=0.0.4"],
          body: Data(text.current.withLock { $0 }.utf8))
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

  /// - Parameter make: called when what is served has become old.
  func update(_ make: () -> String) {
    let isDue = text.lastUpdate.withLock { last in
      guard .now - last >= MetricsServer.interval else { return false }
      last = .now
      return true
    }
    guard isDue else { return }
    let made = make()
    text.current.withLock { $0 = made }
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
