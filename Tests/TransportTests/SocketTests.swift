import FlapCore
import Testing
import Transport

/// Real sockets on the loopback interface. Waits have generous ends: a test is slow only when it
/// fails.
@Suite struct SocketTests {
  private let context: MessagingContext

  init() throws { context = try MessagingContext() }

  @Test func routerAndTwoDealersTalk() throws {
    let router = try Socket(context: context, kind: .router)
    let endpoint = try router.bind("tcp://127.0.0.1:*")
    let first = try Socket(context: context, kind: .dealer, routingID: Array("first".utf8))
    let second = try Socket(context: context, kind: .dealer, routingID: Array("second".utf8))
    try first.connect(endpoint)
    try second.connect(endpoint)

    #expect(try first.send([[1], [], [2, 3]]) == .sent)
    #expect(try second.send([[4]]) == .sent)
    let received = try [router.next(), router.next()]
    #expect(
      Set(received) == [
        Message(
          routingID: Array("first".utf8), frames: [[1], [], [2, 3]], address: "127.0.0.1"),
        Message(routingID: Array("second".utf8), frames: [[4]], address: "127.0.0.1"),
      ])

    #expect(try router.send([[5], [6]], to: Array("second".utf8)) == .sent)
    #expect(try router.send([[]], to: Array("first".utf8)) == .sent)
    #expect(try second.next() == Message(frames: [[5], [6]]))
    #expect(try first.next() == Message(frames: [[]]))
    #expect(try first.receive() == nil)
  }

  @Test func largeFramesArriveWhole() throws {
    let pair = try Pair(context)
    var generator = SystemRandomNumberGenerator()
    let frames = (0..<20).map { index in
      [UInt8](repeating: UInt8.random(in: 0...255, using: &generator), count: Limits.chunkBytes)
        + [UInt8(index)]
    }
    try pair.dealer.send(frames)
    #expect(try pair.router.next().frames == frames)
  }

  @Test func tooManyFramesAreDropped() throws {
    let pair = try Pair(context)
    let most = [[UInt8]](repeating: [7], count: Limits.framesPerMessage)
    try pair.dealer.send(most)
    try pair.dealer.send(most + [[8]])
    try pair.dealer.send([[9]])
    #expect(try pair.router.next().frames == most)
    #expect(try pair.router.next().frames == [])
    #expect(try pair.router.next().frames == [[9]])
  }

  @Test func frameBeyondTheLimitNeverArrives() throws {
    let pair = try Pair(context)
    try pair.dealer.send([[1]])
    #expect(try pair.router.next().frames == [[1]])
    let limit = Limits.chunkBytes + Limits.headerFrameBytes
    try pair.dealer.send([[UInt8](repeating: 2, count: limit + 1)])
    // The connection ends; the dealer makes another, on which later messages come.
    let deadline = ContinuousClock.now + .seconds(20)
    var received: [[UInt8]]?
    while received == nil, ContinuousClock.now < deadline {
      try pair.dealer.send([[3]])
      _ = try Poller.wait(for: pair.router, descriptors: [], timeout: .milliseconds(50))
      received = try pair.router.receive()?.frames
    }
    #expect(received == [[3]])
  }

  @Test func peerThatIsNotThereIsUnreachable() throws {
    let router = try Socket(context: context, kind: .router)
    _ = try router.bind("tcp://127.0.0.1:*")
    #expect(try router.send([[1], [2]], to: Array("nobody".utf8)) == .unreachable)
  }

  @Test func messagesBeforeTheConnectionAreKept() throws {
    let router = try Socket(context: context, kind: .router)
    let endpoint = try router.bind("tcp://127.0.0.1:*")
    let dealer = try Socket(context: context, kind: .dealer)
    try dealer.connect(endpoint)
    try dealer.send([[1]])
    #expect(try router.next().frames == [[1]])
  }

  @Test func portInUseIsNamed() throws {
    let first = try Socket(context: context, kind: .router)
    let endpoint = try first.bind("tcp://127.0.0.1:*")
    let second = try Socket(context: context, kind: .router)
    let error = try #require(throws: TransportError.self) { try second.bind(endpoint) }
    #expect(error.operation == "bind")
    #expect(error.endpoint == endpoint)
    #expect(
      error.description == "cannot bind \(endpoint): Address already in use; "
        + "choose another port, or end the program that listens there")
  }

  @Test(arguments: ["", "nonsense", "tcp://127.0.0.1:notaport", "smoke://signals"])
  func endpointThatIsNoneIsRefused(_ endpoint: String) throws {
    let router = try Socket(context: context, kind: .router)
    #expect(throws: TransportError.self) { try router.bind(endpoint) }
    let dealer = try Socket(context: context, kind: .dealer)
    #expect(throws: TransportError.self) { try dealer.connect(endpoint) }
  }

  @Test(arguments: [[], [0, 1], [UInt8](repeating: 1, count: 256)])
  func routingIdentityThatIsNoneIsRefused(_ routingID: [UInt8]) throws {
    #expect(throws: TransportError.self) {
      _ = try Socket(context: context, kind: .dealer, routingID: routingID)
    }
  }

  /// An address in brackets is one of IPv6.
  @Test func addressesOfIPv6AreHeardAndReached() throws {
    let router = try Socket(context: context, kind: .router)
    guard let endpoint = try? router.bind("tcp://[::1]:*") else {
      print("skipped: this machine has no ::1")
      return
    }
    #expect(endpoint.hasPrefix("tcp://[::1]:"))
    let dealer = try Socket(context: context, kind: .dealer)
    try dealer.connect(endpoint)
    try dealer.send([[1]])
    let message = try router.next()
    #expect(message.frames == [[1]])
    #expect(message.address == "::1")
  }

  @Test func goodbyeLeavesBeforeTheSocketIsGone() throws {
    let router = try Socket(context: context, kind: .router)
    let endpoint = try router.bind("tcp://127.0.0.1:*")
    do {
      let dealer = try Socket(context: MessagingContext(), kind: .dealer)
      try dealer.connect(endpoint)
      try dealer.send([[1]])
    }
    #expect(try router.next().frames == [[1]])
  }
}

/// A router and a dealer connected to it.
struct Pair: ~Copyable {
  let router: Socket
  let dealer: Socket

  init(_ context: MessagingContext) throws {
    let router = try Socket(context: context, kind: .router)
    let dealer = try Socket(context: context, kind: .dealer)
    try dealer.connect(router.bind("tcp://127.0.0.1:*"))
    self.router = router
    self.dealer = dealer
  }
}

struct NothingArrived: Error {}

extension Socket {
  /// The next message, waited for.
  borrowing func next() throws -> Message {
    let deadline = ContinuousClock.now + .seconds(20)
    while ContinuousClock.now < deadline {
      if let message = try receive() { return message }
      _ = try Poller.wait(for: self, descriptors: [], timeout: .milliseconds(100))
    }
    throw NothingArrived()
  }
}
