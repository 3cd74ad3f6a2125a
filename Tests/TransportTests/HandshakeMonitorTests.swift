import FlapCore
import FlapTestKit
import Foundation
import Synchronization
import Testing
import Transport

/// Who is turned away before an authenticator is asked is told all the same.
@Suite struct HandshakeMonitorTests {
  private let server: Server

  init() throws { server = try Server() }

  // MARK: Told

  @Test func wrongServerKeyIsTold() throws {
    let pair = try CurveKeyPair.generate()
    server.authenticator.allow(pair.publicKey)
    let other = try CurveKeyPair.generate().publicKey
    let client = try server.client(security: .curveClient(server: other, pair))
    try client.send([[1]])
    try expectRefusal(.keyDiffers)
  }

  @Test func clientWithoutKeyIsTold() throws {
    let client = try server.client(security: .plain)
    try client.send([[1]])
    try expectRefusal(ofZeroMQAt: "127.0.0.1")
  }

  static let greeting = ZMTP.greeting(mechanism: "CURVE")
  static let refused: [(bytes: [UInt8], Refusal.HandshakeFailure)] = [
    (Array("GET / HTTP/1.1\r\n\r\n".utf8), .protocolBroken),
    (ZMTP.greeting(mechanism: "NULL"), .mechanismDiffers),
    (ZMTP.greeting(mechanism: "PLAIN"), .mechanismDiffers),
    (Array(ZMTP.greeting(mechanism: "", version: 1).prefix(12)), .protocolBroken),
    (greeting + ZMTP.longHeader(isCommand: false, byteCount: 200 << 20), .protocolBroken),
    (greeting + ZMTP.longHeader(isCommand: true, byteCount: .max), .protocolBroken),
    (greeting + ZMTP.shortFrame([1]), .protocolBroken),
    (greeting + ZMTP.ready(), .protocolBroken),
  ]

  @Test(arguments: refused)
  func strangersAreTold(_ bytes: [UInt8], _ failure: Refusal.HandshakeFailure) throws {
    let peer = try RawPeer(endpoint: server.endpoint)
    // What is gone as soon as it came may have no name; who takes a moment has one.
    usleep(20_000)
    peer.send(bytes)
    #expect(peer.isClosed())
    try expectRefusal(failure)
  }

  @Test func peersOfIPv6AreTold() throws {
    let keys = try CurveKeyPair.generate()
    let router = try Socket(
      context: server.context, kind: .router,
      security: .curveServer(keys.secretKey, server.authenticator))
    guard let endpoint = try? router.bind("tcp://[::1]:*") else {
      print("skipped: this machine has no ::1")
      return
    }
    let client = try server.client(security: .plain, endpoint: endpoint)
    try client.send([[1]])
    try expectRefusal(ofZeroMQAt: "::1")
  }

  // MARK: Not told

  @Test(arguments: [0, 5, 64]) func whoeverLooksAndLeavesIsForgotten(count: Int) throws {
    let peer = try RawPeer(endpoint: server.endpoint)
    usleep(20_000)
    peer.send(Array(Self.greeting.prefix(count)))
    peer.finishSending()
    #expect(peer.isClosed())
    try expectRefusal(.left)
    #expect(try server.router.nothingArrives())
  }

  @Test func workersThatComeAndGoAreNotAccused() throws {
    for _ in 0..<20 { try server.expectGoodClientGetsThrough() }
    // The one whose key is not allowed is told once, by its key.
    let pair = try CurveKeyPair.generate()
    do {
      let client = try server.client(pair)
      try client.send([[1]])
      #expect(try server.refuses(1))
    }
    #expect(try server.router.nothingArrives())
    #expect(
      server.authenticator.takeRefusals() == [
        Refusal(address: "127.0.0.1", reason: .unknownKey(pair.publicKey))
      ])
  }

  // MARK: Floods

  /// `FLAP_FLOOD_COUNT` sets how many peers.
  @Test func floodNeitherBlocksNorTakesMemory() async {
    await #expect(processExitsWith: .success) {
      let count =
        ProcessInfo.processInfo.environment["FLAP_FLOOD_COUNT"].flatMap { Int($0) } ?? 6000
      let server = try Server()
      try server.expectGoodClientGetsThrough()
      let before = try anonymousResidentBytes()
      let endpoint = server.endpoint
      let isOver = Mutex(false)
      let flood = Thread {
        for _ in 0..<count {
          guard let peer = try? RawPeer(endpoint: endpoint) else { continue }
          peer.send(Array("GET / HTTP/1.1\r\n\r\n".utf8))
          _ = peer.isClosed()
        }
        isOver.withLock { $0 = true }
      }
      flood.start()
      // Nobody asks for the refusals all the while, and good workers get in.
      while !isOver.withLock({ $0 }) {
        try server.expectGoodClientGetsThrough()
        try #require(anonymousResidentBytes() - before < 4 << 20)
      }
      try server.expectGoodClientGetsThrough()
      try #require(server.authenticator.refusalCount > count / 2)
      try #require(server.authenticator.refusalCount <= count)
    }
  }

  /// A peer that may talk and says more than it has credit for, while nobody listens.
  @Test func talkativePeerIsHeldUp() async {
    await #expect(processExitsWith: .success) {
      let router = try Socket(context: MessagingContext(), kind: .router)
      let peer = try RawPeer(endpoint: router.bind("tcp://127.0.0.1:*"), patience: 0.5)
      peer.send(ZMTP.greeting(mechanism: "NULL") + ZMTP.ready())
      try #require(peer.receives(ZMTP.greetingByteCount + 1))
      let before = try anonymousResidentBytes()
      let chunk =
        ZMTP.longHeader(isCommand: false, byteCount: UInt64(Limits.chunkBytes))
        + [UInt8](repeating: 7, count: Limits.chunkBytes)
      var sent = 0
      while sent < 500, peer.send(chunk) == chunk.count { sent += 1 }
      // What ZeroMQ holds, and what fits into the buffers of the system.
      try #require((64..<128).contains(sent))
      try #require(anonymousResidentBytes() - before < 80 << 20)
      // What was said arrives once somebody listens.
      for _ in 0..<sent { try #require(router.next().frames[0].count == Limits.chunkBytes) }
    }
  }

  /// A peer that makes the router answer and does not read what it says.
  @Test func deafPeerIsNoLongerAnswered() throws {
    let router = try Socket(context: MessagingContext(), kind: .router)
    let peer = try RawPeer(endpoint: router.bind("tcp://127.0.0.1:*"))
    peer.send(ZMTP.greeting(mechanism: "NULL") + ZMTP.ready())
    try #require(peer.receives(ZMTP.greetingByteCount + 1))
    peer.send(ZMTP.shortFrame([1]))
    let routingID = try router.next().routingID
    let answer = [UInt8](repeating: 1, count: 16 << 10)
    var sent = 0
    while sent < 10_000, try router.send([answer], to: routingID) == .sent { sent += 1 }
    #expect((1024..<5000).contains(sent))
    withExtendedLifetime(peer) {}
  }

  // MARK: Helpers

  private func expectRefusal(
    _ failure: Refusal.HandshakeFailure, sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let expected = Refusal(address: "127.0.0.1", reason: .handshakeFailed(failure))
    let refusals = try refusals { $0.contains(expected) }
    #expect(refusals.contains(expected), "\(refusals)", sourceLocation: sourceLocation)
    // Who is busy elsewhere may leave in the middle, and try again.
    let others = refusals.subtracting([expected]).map(\.reason)
    #expect(others.allSatisfy { $0 == .handshakeFailed(.left) }, "\(refusals)")
  }

  /// ZeroMQ without keys ends the handshake from its side, too; who is first is left to chance, and
  /// whether the peer can still be asked for its address.
  private func expectRefusal(
    ofZeroMQAt address: String, sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    for refusal in try refusals() {
      #expect([address, ""].contains(refusal.address), sourceLocation: sourceLocation)
      #expect(
        [.handshakeFailed(.mechanismDiffers), .handshakeFailed(.left)]
          .contains(refusal.reason), sourceLocation: sourceLocation)
    }
  }

  /// Waits for refusals; a client that tries again may be refused several times.
  private func refusals(
    until isEnough: (Set<Refusal>) -> Bool = { !$0.isEmpty }
  ) throws -> Set<Refusal> {
    let deadline = ContinuousClock.now + .seconds(20)
    var refusals: Set<Refusal> = []
    while !isEnough(refusals), ContinuousClock.now < deadline {
      #expect(try server.router.nothingArrives(within: .milliseconds(10)))
      refusals.formUnion(server.authenticator.takeRefusals())
    }
    try #require(!refusals.isEmpty)
    return refusals
  }
}
