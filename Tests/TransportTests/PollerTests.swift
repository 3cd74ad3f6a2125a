import Testing
import Transport

#if canImport(Glibc)
  import Glibc
#endif

@Suite struct PollerTests {
  private let context: MessagingContext

  init() throws { context = try MessagingContext() }

  @Test func signalFromAnotherThreadEndsTheWait() throws {
    let socket = try Socket(context: context, kind: .dealer)
    let wakeUp = try WakeUp()
    try onAnotherThread {
      wakeUp.signal()
    } while: {
      let ready = try Poller.wait(
        for: socket, descriptors: [wakeUp.descriptor], timeout: .seconds(60))
      #expect(ready == [wakeUp.descriptor])
    }
  }

  @Test func signalBeforeTheWaitCounts() throws {
    let socket = try Socket(context: context, kind: .dealer)
    let wakeUp = try WakeUp()
    // More than the pipe holds: signals never wait.
    for _ in 0..<100_000 { wakeUp.signal() }
    let descriptors = [wakeUp.descriptor]
    #expect(
      try Poller.wait(for: socket, descriptors: descriptors, timeout: .seconds(60))
        == [wakeUp.descriptor])
    wakeUp.drain()
    wakeUp.drain()
    #expect(try Poller.wait(for: socket, descriptors: descriptors, timeout: .zero) == [])
    wakeUp.signal()
    #expect(
      try Poller.wait(for: socket, descriptors: descriptors, timeout: .seconds(60))
        == [wakeUp.descriptor])
  }

  @Test(arguments: [Duration.seconds(-1), .zero, .nanoseconds(1), .milliseconds(5)])
  func waitEndsWithoutNews(_ timeout: Duration) throws {
    let socket = try Socket(context: context, kind: .dealer)
    let start = ContinuousClock.now
    #expect(try Poller.wait(for: socket, descriptors: [], timeout: timeout) == [])
    // Rounded up: never shorter than asked for. poll(2) may round to clock ticks below.
    #expect(ContinuousClock.now - start >= timeout - .milliseconds(1))
  }

  @Test func messageEndsTheLongestWait() throws {
    let pair = try Pair(context)
    try pair.dealer.send([[1]])
    let ready = try Poller.wait(
      for: pair.router, descriptors: [], timeout: .seconds(Int64.max / 2))
    #expect(ready == [])
    #expect(try pair.router.next().frames == [[1]])
  }

  @Test func closedInputIsReady() throws {
    let socket = try Socket(context: context, kind: .dealer)
    var ends: [Int32] = [-1, -1]
    try #require(pipe(&ends) == 0)
    defer { close(ends[0]) }
    #expect(try Poller.wait(for: socket, descriptors: [ends[0]], timeout: .zero) == [])
    close(ends[1])
    #expect(
      try Poller.wait(for: socket, descriptors: [ends[0]], timeout: .seconds(60)) == [ends[0]])
  }

  private func onAnotherThread(
    _ work: @escaping @Sendable () -> Void, while body: () throws -> Void
  ) throws {
    let box = Unmanaged.passRetained(Work(run: work))
    var thread = pthread_t()
    let code = pthread_create(
      &thread, nil,
      { argument in
        Unmanaged<Work>.fromOpaque(argument!).takeRetainedValue().run()
        return nil
      }, box.toOpaque())
    try #require(code == 0)
    defer { pthread_join(thread, nil) }
    try body()
  }
}

private final class Work: Sendable {
  let run: @Sendable () -> Void

  init(run: @escaping @Sendable () -> Void) { self.run = run }
}
