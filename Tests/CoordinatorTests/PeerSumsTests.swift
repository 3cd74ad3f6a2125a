import FlapCore
import FlapTestKit
import Foundation
import Testing

/// Sums that stay with workers which give them to each other: such as have joined by a ticket, and may
/// be on any host.
@Suite(.serialized)
struct PeerSumsTests {
  private let folder: TemporaryFolder
  private let expected: [String: Digest]

  /// With an undisturbed run of workers of this machine, whose sums go through a folder.
  init() throws {
    folder = try TemporaryFolder()
    let outcome = try Programs.coordinator(
      PeerSumsTests.run(folder.path("local")) + ["--local-workers", "2", "--threads", "1"])
    try #require(outcome.exitCode == 0, "\(outcome.standardError)")
    expected = try Programs.digests(below: folder.path("local"))
    #expect(expected.count > 3)
  }

  @Test("from worker to worker, encrypted or not: the same bits", arguments: [false, true])
  func sameBits(isEncrypted: Bool) throws {
    let output = folder.path("peers")
    let outcome = try start(output, isEncrypted ? [] : ["--insecure"]) { _, _ in }
    #expect(outcome.exitCode == 0, "\(outcome.standardError)")
    #expect(try Programs.digests(below: output) == expected)
    #expect(!outcome.standardError.contains("do not get each other's sums"))
    try expectNoLeftovers(output)
  }

  @Test("workers that die with what they hold: it is summed again, to the same bits")
  func holdersDie() throws {
    let output = folder.path("killed")
    let events = Events(output)
    var deathCount = 0
    let outcome = try start(output, []) { process, workers in
      for (work, count) in [("second moments", 3), ("refitting", 8)] {
        events.wait(for: "task_stored", of: work, count: count, while: process)
        // Two of three: whoever has stored these has hardly been the third alone.
        for index in 0..<2 { deathCount += try workers.replace(at: index) ? 1 : 0 }
      }
    }
    #expect(outcome.exitCode == 0, "\(outcome.standardError)")
    #expect(deathCount == 4, "workers do die while sums wait")
    #expect(try Programs.digests(below: output) == expected)
    try expectNoLeftovers(output)
  }

  // MARK: Helpers

  private static func run(_ output: String) -> [String] {
    [
      "--model", Programs.model, "--calibration", Programs.calibration, "--samples", "64",
      "--tokens-per-leaf", "256", "--compute", "f32", "--ratio", "0.5", "--compensation",
      "least-squares", "--sequential", "--output", output,
    ]
  }

  /// With three workers that join.
  private func start(
    _ output: String, _ options: [String],
    whileRunning: (Process, JoiningWorkers) throws -> Void
  ) throws -> Programs.Outcome {
    let workers = JoiningWorkers(ticket: folder.path("ticket"))
    let outcome = try Programs.coordinator(
      PeerSumsTests.run(output) + options + workers.options
    ) { process in
      try workers.join(3, process)
      try whileRunning(process, workers)
    }
    workers.waitUntilExit()
    return outcome
  }

  private func expectNoLeftovers(_ output: String) throws {
    let names = try FileManager.default.subpathsOfDirectory(atPath: output)
    #expect(names.filter { $0.contains(".tmp.") || $0.contains(".sums") }.isEmpty, "\(names)")
  }
}
