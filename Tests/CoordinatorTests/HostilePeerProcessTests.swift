import Checkpoint
import Coordination
import FlapCore
import Foundation
import Storage
import SystemPackage
import Testing
import Transport

/// Peers that do harm, against a coordinator in a process of its own that waits for workers: it
/// stays alive and small, says who it was, and ends its run with the bits of an undisturbed one.
@Suite(.serialized)
struct HostilePeerProcessTests {
  /// What a peer does, and the line that the coordinator has for it.
  struct Attack: CustomTestStringConvertible, Sendable {
    let testDescription: String
    let line: String?
    let perform: @Sendable (WaitingCoordinator) throws -> Void

    init(
      _ name: String, saying line: String?,
      perform: @escaping @Sendable (WaitingCoordinator) throws -> Void
    ) {
      testDescription = name
      self.line = line
      self.perform = perform
    }
  }

  private static let memoryLimit = 32 << 20
  private static let digest = Result { try WaitingCoordinator.undisturbedDigest() }

  static let attacks = [
    Attack("the key of another server", saying: "it knows another server's key") { coordinator in
      let keys = try #require(coordinator.ticket.keys)
      let other = try CurveKeyPair.generate().publicKey
      try sendAndWait(coordinator, .curveClient(server: other, keys.client))
    },
    Attack("a client key that nobody allowed", saying: "is not allowed") { coordinator in
      let keys = try #require(coordinator.ticket.keys)
      try sendAndWait(coordinator, .curveClient(server: keys.server, .generate()))
    },
    Attack("a ZeroMQ client without keys", saying: "not encrypt") { coordinator in
      try sendAndWait(coordinator, .plain)
    },
    Attack("another mechanism", saying: "not encrypt") { coordinator in
      let peer = try #require(HostileConnection(endpoint: coordinator.ticket.endpoint))
      peer.send(HostileConnection.greeting(mechanism: "NULL"))
      _ = coordinator.says("not encrypt")
    },
    Attack("garbage", saying: "is no handshake of this program") { coordinator in
      for length in [1, 18, 4096, 1 << 20] {
        let peer = try #require(HostileConnection(endpoint: coordinator.ticket.endpoint))
        peer.send([UInt8](repeating: 0x47, count: length))
      }
    },
    Attack("200 MiB before a key is shown", saying: "too large a frame") { coordinator in
      let claim = 200 << 20
      for _ in 0..<4 {
        let peer = try #require(HostileConnection(endpoint: coordinator.ticket.endpoint))
        peer.send(
          HostileConnection.greeting() + HostileConnection.frameHead(byteCount: UInt64(claim)))
        let isTaken = peer.send([UInt8](repeating: 0x55, count: claim))
        #expect(!isTaken)
      }
    },
    Attack("a hello that cannot be read", saying: "use the same version") { coordinator in
      // As of another version: its user is told long before the run gives up waiting for workers.
      let worker = try HostileWorker(coordinator.ticket)
      let start = ContinuousClock.now
      try worker.send([[0xFF, 0xFF, 0xFF]])
      #expect(coordinator.says("refused 127.0.0.1: message header of 3 bytes"))
      #expect(ContinuousClock.now - start < .seconds(5))
    },
    Attack("messages that cannot be read", saying: "use the same version") { coordinator in
      let worker = try HostileWorker(coordinator.ticket)
      for frames in HostileMessages.mutated(count: 5000, seed: 11) { try worker.send(frames) }
      // An answer means that all before it was read.
      try worker.send(HostileMessages.hello(model: Digest(hashing: [2])))
      while case let answer = try worker.next() {
        if case .reject(let rejection) = answer, rejection.reason.contains("differs") { break }
      }
      // Few lines, however many messages: 8 at once, then one a second.
      #expect(coordinator.says("more refusals, the last: refused 127.0.0.1: message"))
      #expect(coordinator.lines(with: "refused 127.0.0.1: ").count < 60)
    },
    Attack("a worker of another model, again and again", saying: "more refusals, the last: worker")
    {
      coordinator in
      let worker = try HostileWorker(coordinator.ticket)
      for _ in 0..<300 {
        try worker.send(HostileMessages.hello(model: Digest(hashing: [2])))
        guard case .reject = try worker.next() else { throw HostileWorker.NoAnswer() }
      }
      #expect(coordinator.says("more refusals, the last: worker"))
      #expect(coordinator.lines(with: " refused: ").count < 60)
    },
    Attack("a worker that joins and turns hostile", saying: "cannot be unpacked") { coordinator in
      let model = try Checkpoint(directory: FilePath(Programs.model)).digest
      let worker = try HostileWorker(coordinator.ticket)
      try worker.send(HostileMessages.hello(model: model))
      while case let answer = try worker.next() {
        if case .assign = answer { break }
      }
      try worker.send([[0xFF, 0xFF, 0xFF]])
    },
    Attack("reports that are sent again", saying: nil) { coordinator in
      let count = try ReplayingRelay(coordinator.ticket).run(reports: 6)
      #expect(count > 40)
    },
  ]

  @Test(arguments: attacks)
  func nothingComesOfIt(_ attack: Attack) throws {
    let coordinator = try WaitingCoordinator()
    let before = try coordinator.anonymousBytes
    try attack.perform(coordinator)
    if let line = attack.line {
      #expect(coordinator.says(line), "\(coordinator.logText)")
      for line in coordinator.lines(with: "refused ") {
        #expect(line.contains("refused 127.0.0.1: ") || line.contains("of unknown address: "))
        #expect(line.utf8.count < 300)
      }
    }
    #expect(coordinator.isAlive)
    #expect(try coordinator.anonymousBytes - before < Self.memoryLimit)
    #expect(try coordinator.finish() == Self.digest.get())
    #expect(!coordinator.logText.contains("DIFFERENT BITS"))
  }

  private static func sendAndWait(
    _ coordinator: WaitingCoordinator, _ security: SocketSecurity
  ) throws {
    let worker = try HostileWorker(coordinator.ticket, security: security)
    try worker.send(HostileMessages.hello(model: Digest(hashing: [1])))
    _ = coordinator.says("refused")
  }
}
