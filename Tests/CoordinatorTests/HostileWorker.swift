import Coordination
import FlapCore
import FlapTestKit
import Foundation
import Storage
import Transport
import Wire

/// A peer with the keys of a worker, or with others.
struct HostileWorker: ~Copyable {
  private let socket: Socket

  /// - Parameter security: by default with the keys of the ticket.
  init(
    _ ticket: ConnectionTicket, routingID: [UInt8]? = nil, security: SocketSecurity? = nil
  ) throws {
    let socket = try Socket(
      context: MessagingContext(), kind: .dealer, routingID: routingID,
      security: security ?? ticket.security)
    try socket.connect(ticket.endpoint)
    self.socket = socket
  }

  func send(_ frames: [[UInt8]]) throws { try socket.send(frames) }

  func send(_ message: WorkerMessage) throws { try send(WireCodec.encode(message)) }

  func receive() throws -> [[UInt8]]? { try socket.receive()?.frames }

  /// The next message of the coordinator, waited for.
  func next() throws -> CoordinatorMessage {
    let deadline = ContinuousClock.now + .seconds(20)
    while ContinuousClock.now < deadline {
      if let frames = try receive() { return try WireCodec.decodeCoordinatorMessage(frames) }
      _ = try Poller.wait(for: socket, descriptors: [], timeout: .milliseconds(20))
    }
    throw NoAnswer()
  }

  struct NoAnswer: Error {}
}

/// Messages that are almost those of a worker.
enum HostileMessages {
  /// A hello with which a worker would be let in.
  static func hello(model: Digest) -> WorkerMessage {
    .hello(
      Hello(
        softwareVersion: "1", host: "hostile", processID: 1, instance: 1, modelDigest: model,
        kernelFingerprint: "none", coreCount: 1, threadCount: 1, memoryBytes: 1 << 30))
  }

  /// One of every kind. The hello is of another model, so that no change of it is welcome.
  private static var originals: [[[UInt8]]] {
    let attempt = TaskAttempt(task: TaskID(1), attempt: 1)
    let digest = Digest(hashing: [1])
    let messages: [WorkerMessage] = [
      hello(model: digest),
      .heartbeat(
        Heartbeat(
          attempt: attempt, completedSteps: 1, totalSteps: 2, residentBytes: 3,
          peakResidentBytes: 4)),
      .accepted(attempt),
      .reportBegin(ReportBegin(attempt: attempt, byteCount: 1 << 40, digest: digest)),
      .reportChunk(ReportChunk(attempt: attempt, offset: 0, bytes: [1, 2, 3])),
      .reportEnd(attempt),
      .shardCommitted(
        ShardCommitted(
          attempt: attempt, fileName: "../../x", byteCount: 1 << 40, digest: digest)),
      .taskFailed(TaskFailure(attempt: attempt, failureClass: .permanent, reason: "none")),
      .bye(reason: ""),
    ]
    return messages.map(WireCodec.encode)
  }

  /// Changed in their bytes, cut, lengthened, with frames too many; and headers that ask for much
  /// memory.
  static func mutated(count: Int, seed: UInt64) -> [[[UInt8]]] {
    var generator = SeededGenerator(seed: seed)
    let originals = originals
    let emptyParts = [[UInt8]](repeating: [0x0A, 0], count: 32 << 10).flatMap { $0 }
    var messages = [[emptyParts], [[UInt8](repeating: 0x0B, count: 60_000)], [[]]]
    while messages.count < count {
      var frames = originals[Int.random(in: 0..<originals.count, using: &generator)]
      for _ in 0...Int.random(in: 0..<4, using: &generator) {
        let position = Int.random(in: 0...frames[0].count, using: &generator)
        let byte = UInt8.random(in: .min ... .max, using: &generator)
        switch Int.random(in: 0..<4, using: &generator) {
        case 0: frames[0] = Array(frames[0].prefix(position))
        case 1: frames[0].insert(byte, at: position)
        case 2: frames.append([byte])
        default: if position < frames[0].count { frames[0][position] = byte }
        }
      }
      messages.append(frames)
    }
    return messages
  }
}
