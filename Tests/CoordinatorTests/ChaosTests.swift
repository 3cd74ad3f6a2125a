import FlapCore
import FlapTestKit
import Foundation
import Testing

/// Real processes under random faults in all phases. `FLAP_CHAOS_COUNT` sets how many runs.
@Suite(.serialized)
struct ChaosTests {
  static let count =
    ProcessInfo.processInfo.environment["FLAP_CHAOS_COUNT"].flatMap { Int($0) } ?? 6

  /// Slow enough that there is a middle to disturb.
  private static let options = [
    "--ratio", "0.4", "--max-shard-size", "300KB", "--local-workers", "2", "--threads", "1",
    "--leaves-per-unit", "1", "--compute", "f32", "--tokens-per-leaf", "128", "--dead-after", "2",
    "--hung-after", "3",
  ]

  @Test("killed, stopped, preempted, interrupted and resumed: the bytes of an undisturbed run")
  func sameBytes() throws {
    let folder = try TemporaryFolder()
    let start = ContinuousClock.now
    _ = try run(folder.path("reference"))
    let undisturbed = ContinuousClock.now - start
    let expected = try Programs.digests(below: folder.path("reference"))
    #expect(expected.count > 5)
    var resumedCount = 0
    for seed in 0..<ChaosTests.count {
      var generator = SeededGenerator(seed: UInt64(seed))
      let output = folder.path("run-\(seed)")
      var outcome: Programs.Outcome
      var lives = 0
      repeat {
        lives += 1
        let isLast = lives > 4
        outcome = try run(output, lives > 1 ? ["--resume"] : []) { process in
          if !isLast { disturb(process, for: undisturbed, &generator) }
        }
      } while outcome.exitCode != 0 && lives < 6
      resumedCount += lives - 1
      #expect(outcome.exitCode == 0, "seed \(seed): \(outcome.standardError)")
      #expect(try Programs.digests(below: output) == expected, "seed \(seed)")
      try? FileManager.default.removeItem(atPath: output)
    }
    #expect(resumedCount > 0, "coordinators do die")
  }

  /// One to three faults at random moments of a run.
  private func disturb(
    _ process: Process, for duration: Duration, _ generator: inout SeededGenerator
  ) {
    for _ in 0..<Int.random(in: 1...3, using: &generator) {
      let pause = duration * Double.random(in: 0.02...0.6, using: &generator)
      usleep(UInt32(pause / .microseconds(1)))
      guard process.isRunning else { return }
      let worker = Programs.children(of: process.processIdentifier).randomElement(
        using: &generator)
      switch Int.random(in: 0..<8, using: &generator) {
      case 0, 1: if let worker { kill(worker, SIGKILL) }
      case 2: if let worker { kill(worker, SIGSTOP) }
      case 3:
        guard let worker else { continue }
        // Stopped for longer than its lease, then there again.
        kill(worker, SIGSTOP)
        usleep(2_500_000)
        kill(worker, SIGCONT)
      case 4: kill(process.processIdentifier, SIGINT)
      case 5: if let worker { kill(worker, SIGTERM) }
      case 6:
        // The coordinator stands still for longer than a worker's lease, as a suspended machine does.
        kill(process.processIdentifier, SIGSTOP)
        usleep(5_000_000)
        kill(process.processIdentifier, SIGCONT)
      default: kill(process.processIdentifier, SIGKILL)
      }
    }
  }

  private func run(
    _ output: String, _ arguments: [String] = [], whileRunning: (Process) throws -> Void = { _ in }
  ) throws -> Programs.Outcome {
    try Programs.coordinator(
      ["--model", Programs.model, "--calibration", Programs.calibration, "--output", output]
        + ChaosTests.options + arguments, whileRunning: whileRunning)
  }
}
