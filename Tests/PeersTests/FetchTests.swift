import FlapCore
import Peers
import Storage
import Testing
import Transport

/// Real sockets on the loopback interface. Waits have generous ends: a test is slow only when it
/// fails.
@Suite struct FetchTests {
  private static let chunk = Limits.chunkBytes

  @Test(arguments: [true, false])
  func bytesAreTheSame(isEncrypted: Bool) throws {
    let sizes = [
      1, 1000, Self.chunk - 1, Self.chunk, Self.chunk + 1,
      (PeerLimits.requestsInFlight + 3) * Self.chunk + 5,
    ]
    let keys = isEncrypted ? try makeKeys() : nil
    let holder = try Holder(byteCounts: sizes, keys: keys)
    let client = try PeerClient(keys: keys)
    for index in sizes.indices {
      #expect(try holder.fetch(index, by: client) == holder.files[index].bytes)
    }
    // Parts of odd sizes, many more than are under way at once.
    #expect(try holder.fetch(2, by: client, step: 10_007) == holder.files[2].bytes)
    #expect(holder.server.failure == nil)
  }

  @Test func partsComeInTheOrderAskedFor() throws {
    let keys = try makeKeys()
    let holder = try Holder(byteCounts: [1000], keys: keys)
    let client = try PeerClient(keys: keys)
    let ranges = [900..<1000, 0..<1, 500..<600, 0..<1000]
    var taken: [Range<Int>] = []
    try client.fetch(
      holder.files[0].file.digest, byteCount: 1000, from: holder.server.endpoint, ranges: ranges,
      patience: .seconds(20), isAbandoned: { false },
      take: { range, bytes in
        taken.append(range)
        #expect(bytes == Array(holder.files[0].bytes[range]))
      })
    #expect(taken == ranges)
  }

  @Test func nothingIsAskedForNothing() throws {
    let client = try PeerClient(keys: nil)
    let digest = try #require(Digest(bytes: [UInt8](repeating: 1, count: 32)))
    #expect(try client.fetchAll(digest, byteCount: 0, from: "tcp://127.0.0.1:1") == [])
  }

  @Test func severalClientsAtOnce() async throws {
    let keys = try makeKeys()
    let holder = try Holder(byteCounts: [3 * Self.chunk + 1, 2 * Self.chunk], keys: keys)
    let endpoint = holder.server.endpoint
    let files = holder.files.map { (bytes: $0.bytes, digest: $0.file.digest) }
    try await withThrowingTaskGroup(of: Bool.self) { group in
      for number in 0..<6 {
        let file = files[number % 2]
        group.addTask {
          let client = try PeerClient(keys: keys)
          let fetched = try client.fetchAll(
            file.digest, byteCount: file.bytes.count, from: endpoint, step: 100_000)
          return fetched == file.bytes
        }
      }
      for try await isSame in group { #expect(isSame) }
    }
  }

  @Test func oneClientOfSeveralServers() throws {
    let keys = try makeKeys()
    let client = try PeerClient(keys: keys)
    // More than it keeps connections to, and each twice.
    let holders = try (1...PeerLimits.keptConnections + 2).map {
      try Holder(byteCounts: [$0], keys: keys)
    }
    for _ in 0..<2 {
      for holder in holders { #expect(try holder.fetch(by: client) == holder.files[0].bytes) }
    }
  }

  @Test func addressesOfIPv6() throws {
    let keys = try makeKeys()
    let holder: Holder
    do {
      holder = try Holder(byteCounts: [9], keys: keys, host: "::1")
    } catch let error as TransportError {
      // A host without IPv6.
      #expect(error.operation == "bind")
      return
    }
    #expect(holder.server.endpoint.hasPrefix("tcp://[::1]:"))
    #expect(try holder.fetch(by: PeerClient(keys: keys)) == holder.files[0].bytes)
  }

  @Test func addressOfAnotherHostIsRefused() {
    #expect(throws: TransportError.self) {
      try PeerServer(host: "192.0.2.1", keys: nil) { _ in nil }
    }
  }

  @Test func serversEndWhileTheyAreAsked() throws {
    for _ in 0..<20 {
      let keys = try makeKeys()
      let holder = try Holder(byteCounts: [10], keys: keys)
      let client = try PeerClient(keys: keys)
      _ = try holder.fetch(by: client)
      holder.server.stop()
      holder.server.stop()
    }
  }

  // MARK: Keys

  @Test func keysComeBackFromTheirSecret() throws {
    let pair = try CurveKeyPair.generate()
    let keys = PeerKeys(pair)
    #expect(try PeerKeys(secret: keys.secret) == keys)
    #expect(try PeerKeys(secret: Array(keys.secret.dropLast())) == nil)
    #expect(CurveSecretKey(bytes: keys.secret) == pair.secretKey)
    #expect(CurveSecretKey(bytes: keys.secret + [0]) == nil)
    var shown = "\(keys)"
    dump(keys, to: &shown)
    #expect(shown.contains("(secret)") && !shown.contains("\(keys.secret[0]), "))
  }
}
