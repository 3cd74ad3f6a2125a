import FlapCore
import Peers
import Storage
import Testing
import Transport
import Wire

/// Fetches that end with an error. Where nothing can come, patience is short.
@Suite struct RefusalTests {
  private let keys: PeerKeys
  private let holder: Holder
  private static let short = Duration.milliseconds(300)

  init() throws {
    keys = try makeKeys()
    holder = try Holder(byteCounts: [5 * Limits.chunkBytes, 100], keys: keys)
  }

  private func expectServerGoesOn() throws {
    #expect(try holder.fetch(1, by: PeerClient(keys: keys)) == holder.files[1].bytes)
    #expect(holder.server.failure == nil)
  }

  // MARK: Who may ask

  @Test func otherKeysGetNothing() throws {
    let unreachable = PeerError.unreachable(endpoint: holder.server.endpoint)
    for other in [try makeKeys(), nil] {
      let client = try PeerClient(keys: other)
      #expect(throws: unreachable) {
        try holder.fetch(by: client, patience: Self.short)
      }
      try expectServerGoesOn()
    }
  }

  /// It knows whom to talk to, and has no key that is admitted.
  @Test func clientsOwnKeyMustBeTheRuns() throws {
    let pair = try CurveKeyPair.generate()
    let server = try PeerServer(host: "127.0.0.1", keys: PeerKeys(pair)) { _ in nil }
    let dealer = try Socket(
      context: MessagingContext(), kind: .dealer,
      security: .curveClient(server: pair.publicKey, .generate()))
    try dealer.connect(server.endpoint)
    let digest = holder.files[1].file.digest
    let request = PeerRequest(digest: digest, offset: 0, byteCount: 1)
    try dealer.send(WireCodec.encode(request))
    _ = try Poller.wait(for: dealer, descriptors: [], timeout: Self.short)
    #expect(try dealer.receive() == nil)
    let client = try PeerClient(keys: PeerKeys(pair))
    #expect(throws: PeerError.gone(endpoint: server.endpoint)) {
      try client.fetchAll(digest, byteCount: 1, from: server.endpoint)
    }
  }

  @Test func serverWithoutKeysIsNotBelieved() throws {
    let server = try PeerServer(host: "127.0.0.1", keys: nil) { _ in nil }
    let client = try PeerClient(keys: keys)
    #expect(throws: PeerError.unreachable(endpoint: server.endpoint)) {
      try client.fetchAll(
        holder.files[1].file.digest, byteCount: 1, from: server.endpoint, patience: Self.short)
    }
  }

  // MARK: What is not there

  @Test func unknownDigestIsGone() throws {
    let client = try PeerClient(keys: keys)
    let digest = try #require(Digest(bytes: [UInt8](repeating: 1, count: 32)))
    #expect(throws: PeerError.gone(endpoint: holder.server.endpoint)) {
      try client.fetchAll(digest, byteCount: 20 << 20, from: holder.server.endpoint)
    }
    // What else was answered meanwhile does not reach the next fetch.
    #expect(try holder.fetch(by: client) == holder.files[0].bytes)
  }

  @Test func partBeyondTheEndIsGone() throws {
    let client = try PeerClient(keys: keys)
    #expect(throws: PeerError.gone(endpoint: holder.server.endpoint)) {
      try client.fetchAll(
        holder.files[1].file.digest, byteCount: 101, from: holder.server.endpoint)
    }
    try expectServerGoesOn()
  }

  @Test func nobodyIsUnreachable() throws {
    holder.server.stop()
    let client = try PeerClient(keys: keys)
    #expect(throws: PeerError.unreachable(endpoint: holder.server.endpoint)) {
      try holder.fetch(by: client, patience: Self.short)
    }
  }

  // MARK: What ends in the middle

  /// The connection's end is seen: no patience is needed.
  @Test func stoppedServerIsUnreachable() throws {
    let client = try PeerClient(keys: keys)
    let file = holder.files[0]
    var takenBytes = 0
    #expect(throws: PeerError.unreachable(endpoint: holder.server.endpoint)) {
      // Small parts: most are still to be asked for when the server ends.
      try client.fetch(
        file.file.digest, byteCount: file.bytes.count, from: holder.server.endpoint,
        ranges: PeerClient.ranges(of: file.bytes.count, step: 1000), patience: .seconds(60),
        isAbandoned: { false },
        take: { range, _ in
          takenBytes = range.upperBound
          holder.server.stop()
        })
    }
    #expect(takenBytes > 0 && takenBytes < file.bytes.count)
    // A connection whose server ended while it was not in use is none.
    let second = try Holder(byteCounts: [10], keys: keys)
    #expect(try second.fetch(by: client) == second.files[0].bytes)
    second.server.stop()
    #expect(throws: PeerError.unreachable(endpoint: second.server.endpoint)) {
      try second.fetch(by: client, patience: Self.short)
    }
  }

  @Test func givenUpFetchesDoNotReachLaterOnes() throws {
    struct Enough: Error {}
    let client = try PeerClient(keys: keys)
    let file = holder.files[0]
    for round in 0..<10 {
      var isAbandoned = false
      #expect(throws: (any Error).self) {
        try client.fetch(
          file.file.digest, byteCount: file.bytes.count, from: holder.server.endpoint,
          ranges: PeerClient.ranges(of: file.bytes.count, step: 1 << 18), patience: .seconds(20),
          isAbandoned: { isAbandoned },
          take: { _, _ in
            if round % 2 == 0 { throw Enough() }
            isAbandoned = true
          })
      }
      #expect(try holder.fetch(1, by: client, step: 7) == holder.files[1].bytes)
    }
  }

  @Test func abandonedFetchEndsWhileNothingComes() throws {
    let router = try Socket(context: MessagingContext(), kind: .router)
    let endpoint = try router.bind("tcp://127.0.0.1:*")
    let client = try PeerClient(keys: nil)
    var lookCount = 0
    #expect(throws: PeerError.abandoned) {
      try client.fetch(
        holder.files[0].file.digest, byteCount: 1, from: endpoint, ranges: [0..<1],
        patience: .seconds(3600),
        isAbandoned: {
          lookCount += 1
          return lookCount > 3
        },
        take: { _, _ in })
    }
  }

  // MARK: Servers that answer otherwise

  @Test func silenceIsTold() throws {
    let router = try Socket(context: MessagingContext(), kind: .router)
    let endpoint = try router.bind("tcp://127.0.0.1:*")
    let client = try PeerClient(keys: nil)
    #expect(throws: PeerError.silent(endpoint: endpoint)) {
      try client.fetchAll(
        holder.files[0].file.digest, byteCount: 1, from: endpoint, patience: Self.short)
    }
  }

  private static let digest = Digest(bytes: [UInt8](repeating: 3, count: 32))!
  private static let otherDigest = Digest(bytes: [UInt8](repeating: 4, count: 32))!

  private static func frames(_ reply: PeerReply) -> [[UInt8]] { WireCodec.encode(reply) }

  @Test(arguments: [
    [[]], [[1, 2, 3]], [[UInt8]](repeating: [1], count: 5),
    frames(PeerReply(digest: otherDigest, offset: 0, bytes: [1, 2])),
    frames(PeerReply(digest: otherDigest, offset: 0, bytes: nil)),
    frames(PeerReply(digest: digest, offset: 7, bytes: [1, 2])),
    frames(PeerReply(digest: digest, offset: 0, bytes: [1])),
    frames(PeerReply(digest: digest, offset: 0, bytes: [1, 2, 3])),
    [frames(PeerReply(digest: digest, offset: 0, bytes: [1, 2]))[0]],
  ])
  func garbageIsMalformed(_ answer: [[UInt8]]) throws {
    let error = try error(ofFetching: 2, answer: answer)
    guard case .malformed(_, let reason) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(reason.hasPrefix("message "))
  }

  /// An answer that is due later: those before it went with a connection that broke.
  @Test func lostAnswersAreTold() throws {
    let answer = Self.frames(PeerReply(digest: Self.digest, offset: 2, bytes: [1, 2]))
    let error = try error(ofFetching: 4, answer: answer)
    guard case .unreachable = error else {
      Issue.record("\(String(describing: error))")
      return
    }
  }

  /// Fetches in parts of 2 bytes from a router that has one answer to every request.
  private func error(ofFetching byteCount: Int, answer: [[UInt8]]) throws -> PeerError? {
    let router = try Socket(context: MessagingContext(), kind: .router)
    let endpoint = try router.bind("tcp://127.0.0.1:*")
    let client = try PeerClient(keys: nil)
    return #expect(throws: PeerError.self) {
      try client.fetch(
        Self.digest, byteCount: byteCount, from: endpoint,
        ranges: PeerClient.ranges(of: byteCount, step: 2), patience: .seconds(20),
        isAbandoned: {
          // On the client's own thread, whenever it waits.
          if let message = try? router.receive() {
            _ = try? router.send(answer, to: message.routingID)
          }
          return false
        },
        take: { _, _ in })
    }
  }

  // MARK: Clients that ask otherwise

  @Test func garbageIsDropped() throws {
    let server = try PeerServer(host: "127.0.0.1", keys: nil) { [files = holder.files] digest in
      files.map(\.file).first { $0.digest == digest }
    }
    let file = holder.files[1]
    let dealer = try Socket(context: MessagingContext(), kind: .dealer)
    try dealer.connect(server.endpoint)
    let request = WireCodec.encode(
      PeerRequest(digest: file.file.digest, offset: 98, byteCount: 2))
    try dealer.send([[]])
    try dealer.send([[1, 2, 3]])
    try dealer.send([request[0], [1]])
    try dealer.send([request[0] + [0x18, 0]])
    try dealer.send([[UInt8]](repeating: [1], count: Limits.framesPerMessage + 1))
    try dealer.send(request)
    #expect(
      try dealer.nextReply()
        == PeerReply(digest: file.file.digest, offset: 98, bytes: Array(file.bytes[98...])))
    // A frame that no request has ends the connection; the server goes on.
    try dealer.send([[UInt8](repeating: 1, count: 2 * Limits.headerFrameBytes)])
    let client = try PeerClient(keys: nil)
    #expect(
      try client.fetchAll(file.file.digest, byteCount: 100, from: server.endpoint) == file.bytes)
  }

  /// It asks for all there is again and again: what it does not read is dropped, and others are
  /// served.
  @Test func clientThatDoesNotReadHoldsUpNobody() throws {
    let server = try PeerServer(host: "127.0.0.1", keys: nil) { [files = holder.files] digest in
      files.map(\.file).first { $0.digest == digest }
    }
    let digest = holder.files[0].file.digest
    let dealer = try Socket(
      context: MessagingContext(), kind: .dealer,
      limits: SocketLimits(receivedMessages: 1, sentMessages: nil, linger: .zero))
    try dealer.connect(server.endpoint)
    let request = WireCodec.encode(
      PeerRequest(digest: digest, offset: 0, byteCount: Limits.chunkBytes))
    for _ in 0..<200 { try dealer.send(request) }
    let client = try PeerClient(keys: nil)
    let fetched = try client.fetchAll(
      digest, byteCount: holder.files[0].bytes.count, from: server.endpoint)
    #expect(fetched == holder.files[0].bytes)
    let last = WireCodec.encode(PeerRequest(digest: digest, offset: 1, byteCount: 1))
    var isAnswered = false
    // Once it reads, it is answered anew.
    for _ in 0..<100 where !isAnswered {
      try dealer.send(last)
      while let reply = try? dealer.nextReply(within: .milliseconds(50)) {
        if reply.offset == 1 { isAnswered = true }
      }
    }
    #expect(isAnswered)
    #expect(server.failure == nil)
  }
}

struct NothingArrived: Error {}

extension Socket {
  /// The next reply, waited for.
  borrowing func nextReply(within patience: Duration = .seconds(20)) throws -> PeerReply {
    let deadline = ContinuousClock.now + patience
    while ContinuousClock.now < deadline {
      if let message = try receive() { return try WireCodec.decodePeerReply(message.frames) }
      _ = try Poller.wait(for: self, descriptors: [], timeout: .milliseconds(20))
    }
    throw NothingArrived()
  }
}
