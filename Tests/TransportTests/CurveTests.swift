import FlapCore
import Testing
import Transport

/// Real sockets on the loopback interface. "Nothing arrives" is waited for over many times what
/// a message of an admitted client takes there, which is a few milliseconds.
@Suite struct CurveTests {
  private let server: Server
  private let pair: CurveKeyPair

  init() throws {
    server = try Server()
    pair = try CurveKeyPair.generate()
  }

  // MARK: Let in

  @Test func allowedKeyTalksAndIsNamed() throws {
    let second = try CurveKeyPair.generate()
    server.authenticator.allow([pair.publicKey])
    server.authenticator.allow(second.publicKey)
    for pair in [pair, second] {
      let client = try server.client(pair)
      try client.send([[1], [], [UInt8](repeating: 2, count: Limits.chunkBytes)])
      let message = try server.router.next()
      #expect(message.userID == pair.publicKey.z85)
      #expect(message.frames.map(\.count) == [1, 0, Limits.chunkBytes])
      #expect(try server.router.send([[3]], to: message.routingID) == .sent)
      // Who needs no proof reads none.
      #expect(try client.next() == Message(frames: [[3]]))
    }
    #expect(server.authenticator.refusalCount == 0)
    #expect(server.authenticator.takeRefusals() == [])
  }

  @Test func everyMessageOfManyClientsCarriesItsKey() throws {
    let pairs = try (0..<8).map { _ in try CurveKeyPair.generate() }
    server.authenticator.allow(Set(pairs.map(\.publicKey)))
    for (index, pair) in pairs.enumerated() {
      let client = try server.client(pair)
      for number in 0..<20 { try client.send([[UInt8(index)], [UInt8(number)]]) }
    }
    var counts: [String: Int] = [:]
    for _ in 0..<(8 * 20) {
      let message = try server.router.next()
      let userID = try #require(message.userID)
      #expect(userID == pairs[Int(message.frames[0][0])].publicKey.z85)
      counts[userID, default: 0] += 1
    }
    #expect(Array(counts.values) == [Int](repeating: 20, count: 8))
  }

  @Test func plainSocketsOfTheSameContextNeedNoKey() throws {
    let pair = try Pair(server.context)
    try pair.dealer.send([[1]])
    let message = try pair.router.next()
    #expect(message.frames == [[1]])
    #expect(message.userID == nil)
  }

  // MARK: Kept out

  @Test func unknownKeyIsRefusedAndTold() throws {
    let client = try server.client(pair)
    try client.send([[1]])
    #expect(try server.refuses(1))
    #expect(
      server.authenticator.takeRefusals() == [
        Refusal(address: "127.0.0.1", reason: .unknownKey(pair.publicKey))
      ])
    #expect(server.authenticator.takeRefusals() == [])
  }

  @Test func revokedKeyCannotJoinAgain() throws {
    server.authenticator.allow([pair.publicKey])
    do {
      let client = try server.client(pair)
      try client.send([[1]])
      #expect(try server.router.next().frames == [[1]])
    }
    server.authenticator.revoke(pair.publicKey)
    let second = try server.client(pair)
    try second.send([[2]])
    #expect(try server.refuses(1))
    #expect(
      server.authenticator.takeRefusals().map(\.reason) == [.unknownKey(pair.publicKey)])
    // Also a list without it takes it off.
    server.authenticator.allow(pair.publicKey)
    let third = try server.client(pair)
    try third.send([[3]])
    #expect(try server.router.next().frames == [[3]])
    server.authenticator.allow([])
    let fourth = try server.client(pair)
    try fourth.send([[4]])
    #expect(try server.refuses(2))
  }

  @Test func wrongServerKeyGetsNowhere() throws {
    server.authenticator.allow([pair.publicKey])
    let other = try CurveKeyPair.generate().publicKey
    let client = try server.client(security: .curveClient(server: other, pair))
    try client.send([[1]])
    try expectNothingArrives()
    #expect(try client.receive() == nil)
    try server.expectGoodClientGetsThrough()
  }

  @Test func clientWithoutKeyGetsNowhere() throws {
    let client = try server.client(security: .plain)
    try client.send([[1]])
    try expectNothingArrives()
    try server.expectGoodClientGetsThrough()
  }

  /// A greeting may claim any User-Id: where no key is proven, nobody has one.
  @Test func claimedNameIsNotBelieved() throws {
    let router = try Socket(context: server.context, kind: .router)
    let peer = try RawPeer(endpoint: router.bind("tcp://127.0.0.1:*"))
    let name = pair.publicKey.z85
    peer.send(ZMTP.greeting(mechanism: "NULL") + ZMTP.ready(properties: ["User-Id": name]))
    // A message before the router's own READY would break the protocol.
    try #require(peer.receives(ZMTP.greetingByteCount + 1))
    peer.send(ZMTP.shortFrame([1]))
    let message = try withExtendedLifetime(peer) { try router.next() }
    #expect(message.frames == [[1]])
    #expect(message.userID == nil)
  }

  @Test func clientWithKeysGetsNowhereAtPlainServer() throws {
    let router = try Socket(context: server.context, kind: .router)
    let client = try server.client(pair, endpoint: router.bind("tcp://127.0.0.1:*"))
    try client.send([[1]])
    #expect(try router.nothingArrives())
  }

  // MARK: Without an authenticator

  @Test func stoppedAuthenticatorLetsNobodyIn() throws {
    server.authenticator.allow([pair.publicKey])
    let early = try server.client(pair)
    try early.send([[1]])
    #expect(try server.router.next().frames == [[1]])

    server.authenticator.stop()
    server.authenticator.stop()
    let late = try server.client(pair)
    try late.send([[2]])
    try expectNothingArrives()
    #expect(try late.receive() == nil)
    // Kept out by the handshake, not as a message without proof.
    #expect(!server.authenticator.takeRefusals().contains { $0.reason == .unidentifiedMessage })
    // Who was in stays in.
    try early.send([[3]])
    #expect(try server.router.next().frames == [[3]])

    // Not a word is lost: with another authenticator the client that tries on gets in.
    let next = try Authenticator(context: server.context, allowing: [pair.publicKey])
    #expect(try server.router.next().frames == [[2]])
    next.stop()
  }

  @Test func serverMadeAfterTheStopLetsNobodyIn() throws {
    server.authenticator.allow([pair.publicKey])
    server.authenticator.stop()
    let router = try Socket(
      context: server.context, kind: .router,
      security: .curveServer(server.keys.secretKey, server.authenticator))
    let client = try server.client(pair, endpoint: router.bind("tcp://127.0.0.1:*"))
    try client.send([[1]])
    #expect(try router.nothingArrives())
  }

  @Test func contextHasOneAuthenticatorAtATime() throws {
    let error = #expect(throws: TransportError.self) { try Authenticator(context: server.context) }
    #expect(error?.operation == "bind")
    server.authenticator.stop()
    for _ in 0..<100 { _ = try Authenticator(context: server.context) }
  }

  /// zmq_ctx_term waits for every socket: a leak of one would hang here.
  @Test func contextsEndInAnyOrder() throws {
    for order in 0..<3 {
      let context = try MessagingContext()
      let authenticator = try Authenticator(context: context, allowing: [pair.publicKey])
      let keys = try CurveKeyPair.generate()
      let router = try Socket(
        context: context, kind: .router, security: .curveServer(keys.secretKey, authenticator))
      let endpoint = try router.bind("tcp://127.0.0.1:*")
      let client = try Socket(
        context: context, kind: .dealer,
        security: .curveClient(server: keys.publicKey, pair))
      try client.connect(endpoint)
      if order > 0 {
        try client.send([[1]])
        #expect(try router.next().frames == [[1]])
      }
      // Otherwise everything goes in the middle of the handshake.
      if order == 2 { authenticator.stop() }
    }
    for _ in 0..<20 { _ = try Authenticator(context: MessagingContext()) }
  }

  @Test func messageWithoutProofIsDroppedAndCounted() throws {
    // What connects within the process meets no handshake.
    _ = try server.router.bind("inproc://back-door")
    let intruder = try Socket(context: server.context, kind: .dealer)
    try intruder.connect("inproc://back-door")
    for _ in 0..<3 { try intruder.send([[1], [2]]) }
    #expect(try server.refuses(3))
    #expect(
      server.authenticator.takeRefusals()
        == [Refusal](repeating: Refusal(address: "", reason: .unidentifiedMessage), count: 3))
    try intruder.send([[1]])
    try server.expectGoodClientGetsThrough()
  }

  // MARK: Helpers

  private func expectNothingArrives(sourceLocation: SourceLocation = #_sourceLocation) throws {
    #expect(try server.router.nothingArrives(), sourceLocation: sourceLocation)
  }
}
