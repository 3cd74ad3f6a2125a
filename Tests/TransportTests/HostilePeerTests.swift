import FlapCore
import FlapTestKit
import Foundation
import Testing
import Transport

/// Peers that do not speak CURVE, or speak it to do harm, before they have shown any key.
@Suite struct HostilePeerTests {
  /// In a process of its own, whose memory no other test touches.
  @Test func oversizedFrameBeforeAuthenticationTakesNoMemory() async {
    await #expect(processExitsWith: .success) {
      let server = try Server()
      try server.expectGoodClientGetsThrough()
      let claim: UInt64 = 200 << 20
      let piece = [UInt8](repeating: 0x55, count: 1 << 20)
      let before = try anonymousResidentBytes()
      for isCommand in [false, true] {
        let peer = try RawPeer(endpoint: server.endpoint)
        peer.send(ZMTP.greeting(mechanism: "CURVE"))
        peer.send(ZMTP.longHeader(isCommand: isCommand, byteCount: claim))
        var pushed = 0
        while pushed < Int(claim) {
          let count = peer.send(piece)
          pushed += count
          if count < piece.count { break }
        }
        try #require(pushed < Int(claim))
        try #require(peer.isClosed())
        try #require(anonymousResidentBytes() - before < 4 << 20)
      }
      try server.expectGoodClientGetsThrough()
    }
  }

  @Test(arguments: [
    UInt64(Limits.chunkBytes + Limits.headerFrameBytes) + 1, 1 << 40, 1 << 63, .max,
  ])
  func claimBeyondTheLimitEndsTheConnection(byteCount: UInt64) throws {
    let server = try Server()
    for isCommand in [false, true] {
      let peer = try RawPeer(endpoint: server.endpoint)
      peer.send(ZMTP.greeting(mechanism: "CURVE"))
      // The claim alone, without a byte of what it announces, is enough.
      peer.send(ZMTP.longHeader(isCommand: isCommand, byteCount: byteCount))
      #expect(peer.isClosed())
    }
    try server.expectGoodClientGetsThrough()
  }

  /// Other mechanisms, other versions, and messages before the handshake.
  @Test(arguments: [
    ZMTP.greeting(mechanism: "NULL") + ZMTP.ready() + ZMTP.shortFrame([1]),
    ZMTP.greeting(mechanism: "PLAIN") + ZMTP.shortFrame([5] + Array("HELLO\u{1}a\u{1}b".utf8)),
    ZMTP.greeting(mechanism: "") + ZMTP.ready(),
    ZMTP.greeting(mechanism: "CURVE") + ZMTP.shortFrame([1]),
    ZMTP.greeting(mechanism: "CURVE") + ZMTP.ready() + ZMTP.shortFrame([1]),
    ZMTP.greeting(mechanism: "CURVE")
      + ZMTP.shortFrame([5] + Array("HELLO".utf8) + [UInt8](repeating: 0, count: 194)),
    // ZMTP 2.0 has a greeting of 12 bytes and an identity, and no mechanism.
    Array(ZMTP.greeting(mechanism: "", version: 1).prefix(12)) + [0, 0, 0, 1, 0x41],
    // ZMTP 1.0: an identity, then a message of one byte.
    [1, 0, 2, 0, 0x41],
  ])
  func otherProtocolsAreTurnedAway(_ bytes: [UInt8]) throws {
    let server = try Server()
    let peer = try RawPeer(endpoint: server.endpoint)
    peer.send(bytes)
    #expect(peer.isClosed())
    #expect(try server.router.receive() == nil)
    try server.expectGoodClientGetsThrough()
  }

  @Test func garbageIsTurnedAway() throws {
    let server = try Server()
    var generator = SeededGenerator(seed: 4)
    for _ in 0..<200 {
      var bytes = (0..<Int.random(in: 0...300, using: &generator)).map { _ in
        UInt8.random(in: 0...255, using: &generator)
      }
      // Half of it begins as a peer does, as far as that goes.
      if generator.chance(0.5) {
        let greeting = ZMTP.greeting(mechanism: "CURVE")
        bytes = greeting.prefix(Int.random(in: 0...64, using: &generator)) + bytes
      }
      let peer = try RawPeer(endpoint: server.endpoint)
      peer.send(bytes)
      peer.finishSending()
      #expect(peer.isClosed())
    }
    #expect(try server.router.receive() == nil)
    try server.expectGoodClientGetsThrough()
  }
}

/// `RssAnon` of this process: memory that is neither shared nor backed by a file.
func anonymousResidentBytes() throws -> Int {
  let status = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
  let line = status.split(separator: "\n").first { $0.hasPrefix("RssAnon:") }
  let kibibytes = line?.split { !$0.isNumber }.first.flatMap { Int($0) }
  return try #require(kibibytes) << 10
}
