import FlapTestKit
import Foundation
import Testing

/// How runs end before their time: nothing stays behind, neither files nor processes.
@Suite(.serialized)
struct EndingTests {
  @Test("Ctrl-C finishes what is in work, keeps it, and ends the workers")
  func interruption() throws {
    let folder = try TemporaryFolder()
    var workers: [Int32] = []
    let outcome = try Programs.coordinator(longRun(folder)) { process in
      workers = try waitForWorkers(of: process)
      kill(process.processIdentifier, SIGINT)
    }
    #expect(outcome.exitCode != 0)
    #expect(outcome.standardError.contains("interrupted"))
    #expect(outcome.standardError.contains("continue with --resume"))
    #expect(FileManager.default.fileExists(atPath: folder.path("pruned/flap/journal")))
    #expect(waitForEnd(of: workers))
  }

  @Test("workers end when their coordinator is killed")
  func killedCoordinator() throws {
    let folder = try TemporaryFolder()
    var workers: [Int32] = []
    _ = try Programs.coordinator(longRun(folder)) { process in
      workers = try waitForWorkers(of: process)
      kill(process.processIdentifier, SIGKILL)
    }
    #expect(waitForEnd(of: workers))
  }

  @Test("when every worker keeps dying the run ends and says so")
  func everyWorkerDies() throws {
    let folder = try TemporaryFolder()
    let outcome = try Programs.coordinator(
      longRun(folder) + ["--worker-program", "/bin/false"])
    #expect(outcome.exitCode != 0)
    #expect(outcome.standardError.contains("every worker died, the last one exited with code 1"))
    #expect(!FileManager.default.fileExists(atPath: folder.path("pruned")))
  }

  /// A run that takes some seconds.
  private func longRun(_ folder: TemporaryFolder) -> [String] {
    [
      "--model", Programs.model, "--calibration", Programs.calibration, "--ratio", "0.2",
      "--output", folder.path("pruned"), "--local-workers", "2", "--threads", "1", "--compute",
      "f32", "--tokens-per-leaf", "128",
    ]
  }

  private func waitForWorkers(of process: Process) throws -> [Int32] {
    for _ in 0..<1000 {
      let workers = Programs.children(of: process.processIdentifier)
      if workers.count == 2 {
        usleep(200_000)
        return workers
      }
      usleep(5000)
    }
    Issue.record("no workers were started")
    return []
  }

  private func waitForEnd(of processes: [Int32]) -> Bool {
    for _ in 0..<150 {
      if !processes.contains(where: Programs.isRunning) { return !processes.isEmpty }
      usleep(100_000)
    }
    return false
  }
}
