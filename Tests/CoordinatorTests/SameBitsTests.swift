import FlapCore
import FlapTestKit
import Foundation
import Testing

/// The promise: every safetensors file has the same SHA-256, whoever computed it, whatever died.
@Suite(.serialized)
struct SameBitsTests {
  static let options = ["--ratio", "0.4", "--max-shard-size", "300KB", "--quiet", "--json"]

  @Test("one worker or five, one thread or three, small blocks or large")
  func layouts() throws {
    let folder = try TemporaryFolder()
    let expected = try prune(folder, "reference", ["--local-workers", "1", "--threads", "1"])
    #expect(expected.count > 5)
    for (workers, threads, leaves) in [(2, 1, 4), (5, 1, 1), (1, 3, 16), (3, 2, 2)] {
      let digests = try prune(
        folder, "w\(workers)t\(threads)",
        [
          "--local-workers", "\(workers)", "--threads", "\(threads)", "--leaves-per-unit",
          "\(leaves)",
        ])
      #expect(digests == expected, "\(workers) workers of \(threads) threads")
    }
  }

  @Test("shards that workers send are those that they write")
  func gathered() throws {
    let folder = try TemporaryFolder()
    let expected = try prune(folder, "written", ["--local-workers", "2"])
    #expect(try prune(folder, "sent", ["--local-workers", "2", "--gather"]) == expected)
    #expect(try prune(folder, "plain", ["--insecure", "--local-workers", "3"]) == expected)
  }

  @Test("lanes of one worker, by both spellings", arguments: [("--lanes", 2), ("--slots", 3)])
  func lanes(option: String, count: Int) throws {
    let folder = try TemporaryFolder()
    let expected = try prune(folder, "reference", ["--local-workers", "1"])
    let ticket = folder.path("ticket")
    var worker: Process?
    let digests = try prune(
      folder, "lanes", ["--launcher", "none", "--connect-file", ticket]
    ) { _ in
      while !FileManager.default.fileExists(atPath: ticket) { usleep(10_000) }
      worker = try Programs.worker(
        ["--connect-file", ticket, option, "\(count)", "--threads", "2"])
    }
    #expect(digests == expected)
    worker?.waitUntilExit()
    #expect(worker?.terminationStatus == 0)
  }

  /// Two workers with small tasks, slow enough that there is a middle to disturb.
  static let disturbed = [
    "--local-workers", "2", "--threads", "1", "--leaves-per-unit", "1", "--compute", "f32",
    "--tokens-per-leaf", "128",
  ]

  @Test("a worker is killed at any time, in every phase")
  func kill() throws {
    let folder = try TemporaryFolder()
    let expected = try prune(folder, "reference", SameBitsTests.disturbed)
    let eventCount = Events(folder.path("reference")).lines.count
    var generator = SeededGenerator(seed: 1)
    let roundCount = 8
    var killedCount = 0
    for round in 0..<roundCount {
      // After so much has happened: what the clock says differs from machine to machine.
      let moment = Int.random(in: 0..<eventCount, using: &generator)
      let name = "killed-\(round)"
      let digests = try prune(folder, name, SameBitsTests.disturbed) { process in
        Events(folder.path(name)).wait(forLines: moment, while: process)
        // Early there is no worker yet, and late the run may be over.
        while process.isRunning {
          if let victim = Programs.children(of: process.processIdentifier).first {
            killedCount += Foundation.kill(victim, SIGKILL) == 0 ? 1 : 0
            return
          }
          usleep(1000)
        }
      }
      #expect(digests == expected, "killed after \(moment) events")
    }
    #expect(killedCount >= roundCount / 2, "workers do die")
  }

  @Test("a worker that stops without dying is given up, and its work done by the other")
  func stopped() throws {
    let folder = try TemporaryFolder()
    let start = ContinuousClock.now
    let expected = try prune(folder, "reference", SameBitsTests.disturbed)
    let undisturbed = ContinuousClock.now - start
    let restarted = ContinuousClock.now
    let digests = try prune(
      folder, "stopped", SameBitsTests.disturbed + ["--dead-after", "2"]
    ) { process in
      usleep(UInt32(undisturbed * 0.4 / .microseconds(1)))
      let workers = Programs.children(of: process.processIdentifier)
      Foundation.kill(try #require(workers.first), SIGSTOP)
    }
    #expect(digests == expected)
    #expect(ContinuousClock.now - restarted > .seconds(2), "its task had to be given to the other")
  }

  /// Prunes the bundled model and returns the digest of every safetensors file by its name.
  private func prune(
    _ folder: TemporaryFolder, _ name: String, _ arguments: [String],
    whileRunning: (Process) throws -> Void = { _ in }
  ) throws -> [String: Digest] {
    let output = folder.path(name)
    let outcome = try Programs.coordinator(
      ["--model", Programs.model, "--calibration", Programs.calibration, "--output", output]
        + SameBitsTests.options + arguments, whileRunning: whileRunning)
    #expect(outcome.exitCode == 0, "\(outcome.standardError)")
    for file in try FileManager.default.subpathsOfDirectory(atPath: output) {
      #expect(!file.contains(".tmp."), "leftover of a writer")
      #expect(!file.contains("journal"), "leftover of the journal")
    }
    return try Programs.digests(below: output)
  }
}
