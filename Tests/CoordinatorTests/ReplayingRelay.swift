import Coordination
import FlapTestKit
import Foundation
import Testing
import Transport
import Wire

/// Stands between an honest worker and the coordinator, with keys for both sides, and sends every
/// report again.
struct ReplayingRelay: ~Copyable {
  private let context: MessagingContext
  private let authenticator: Authenticator
  private let server: Socket
  private let workerTicket: ConnectionTicket
  private let ticket: ConnectionTicket

  /// The frames of one report's messages, in order.
  private typealias Report = [[[UInt8]]]

  init(_ ticket: ConnectionTicket) throws {
    let keys = try CurveKeyPair.generate()
    let worker = try CurveKeyPair.generate()
    let context = try MessagingContext()
    let authenticator = try Authenticator(context: context, allowing: [worker.publicKey])
    let server = try Socket(
      context: context, kind: .router, security: .curveServer(keys.secretKey, authenticator))
    workerTicket = try ConnectionTicket(
      endpoint: server.bind("tcp://127.0.0.1:*"), run: ticket.run,
      keys: .init(server: keys.publicKey, client: worker))
    self.context = context
    self.authenticator = authenticator
    self.server = server
    self.ticket = ticket
  }

  /// Has a worker do some tasks. Every report is sent twice, with the one before it, and once more
  /// as that of another attempt. The last one is withheld until the worker has left, and is then
  /// that of an attempt that the coordinator gave up.
  ///
  /// - Returns: how many messages were sent that had been sent before, or too late.
  func run(reports wanted: Int) throws -> Int {
    let folder = try TemporaryFolder()
    let path = try folder.write(Array(workerTicket.text.utf8), to: "ticket")
    chmod(path, 0o600)
    let process = try Programs.worker(["--connect-file", path, "--threads", "1"])
    defer {
      kill(process.processIdentifier, SIGKILL)
      process.waitUntilExit()
    }
    let hello = try next()
    let client = try HostileWorker(ticket, routingID: hello.routingID)
    try client.send(hello.frames)
    var reports: [Report] = []
    var replayedCount = 0
    func replay(_ report: Report) throws {
      for frames in report { try client.send(frames) }
      replayedCount += report.count
    }
    var report: Report = []
    let deadline = ContinuousClock.now + .seconds(60)
    while reports.count < wanted {
      guard .now < deadline else { throw HostileWorker.NoAnswer() }
      while let frames = try client.receive() { try server.send(frames, to: hello.routingID) }
      guard let message = try server.receive() else {
        _ = try Poller.wait(for: server, descriptors: [], timeout: .milliseconds(1))
        continue
      }
      switch try WireCodec.decodeWorkerMessage(message.frames) {
      case .reportBegin: report = [message.frames]
      case .reportChunk: report.append(message.frames)
      case .reportEnd:
        report.append(message.frames)
        reports.append(report)
        if reports.count == wanted { continue }
        try client.send(message.frames)
        try replay(report)
        if reports.count > 1 { try replay(reports[reports.count - 2]) }
        try replay(try Self.renumbered(report))
        continue
      default: break
      }
      try client.send(message.frames)
    }
    try client.send(.bye(reason: "enough"))
    try replay(reports[wanted - 1])
    try Self.expectRejection(of: reports[wanted - 1].count, client)
    // A stranger has them, too.
    let stranger = try HostileWorker(ticket)
    let all = Array(reports.joined())
    for frames in all { try stranger.send(frames) }
    try Self.expectRejection(of: all.count, stranger)
    return replayedCount + all.count
  }

  /// Waits until as many messages were turned down, one by one.
  private static func expectRejection(
    of count: Int, _ client: borrowing HostileWorker
  ) throws {
    var rejectedCount = 0
    while rejectedCount < count {
      if case .reject = try client.next() { rejectedCount += 1 }
    }
  }

  private static func renumbered(_ report: Report) throws -> Report {
    func other(_ attempt: TaskAttempt) -> TaskAttempt {
      TaskAttempt(task: attempt.task, attempt: attempt.attempt + 1)
    }
    return try report.map { frames in
      switch try WireCodec.decodeWorkerMessage(frames) {
      case .reportBegin(var begin):
        begin.attempt = other(begin.attempt)
        return WireCodec.encode(.reportBegin(begin))
      case .reportChunk(var chunk):
        chunk.attempt = other(chunk.attempt)
        return WireCodec.encode(.reportChunk(chunk))
      case .reportEnd(let attempt): return WireCodec.encode(.reportEnd(other(attempt)))
      default: return frames
      }
    }
  }

  private func next() throws -> Message {
    let deadline = ContinuousClock.now + .seconds(20)
    while ContinuousClock.now < deadline {
      if let message = try server.receive() { return message }
      _ = try Poller.wait(for: server, descriptors: [], timeout: .milliseconds(20))
    }
    throw HostileWorker.NoAnswer()
  }
}
