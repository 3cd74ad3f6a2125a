import FlapTestKit
import Foundation
import Testing

/// How runs end before their time: nothing stays behind, neither files nor processes.
@Suite(.serialized)
struct EndingTests {
  @Test(
    "Ctrl-C finishes what is in work, keeps it, and ends the workers; so does SIGTERM",
    arguments: [(SIGINT, 130), (SIGTERM, 143)] as [(Int32, Int32)])
  func interruption(signal: Int32, code: Int32) throws {
    let folder = try TemporaryFolder()
    var workers: [Int32] = []
    let outcome = try Programs.coordinator(longRun(folder)) { process in
      workers = try waitForWorkers(of: process)
      kill(process.processIdentifier, signal)
    }
    #expect(outcome.exitCode == code)
    #expect(outcome.standardError.contains("interrupted"))
    #expect(outcome.standardError.contains("continue with --resume"))
    #expect(FileManager.default.fileExists(atPath: folder.path("pruned/flap/journal")))
    #expect(waitForEnd(of: workers))
  }

  @Test("Ctrl-C when the workers have done all: what is left is done by --resume, without a worker")
  func interruptionAfterWork() throws {
    let folder = try TemporaryFolder()
    let worker = Programs.folder.appending(path: "flap-worker").path
    // It takes its time to go, so that there is one for the signal.
    let program = try folder.write(
      Array("#!/bin/sh\n'\(worker)' \"$@\"\nsleep 4\n".utf8), to: "slow-worker")
    #expect(chmod(program, 0o700) == 0)
    let run = [
      "--model", Programs.model, "--calibration", Programs.calibration, "--samples", "16",
      "--ratio", "0.2", "--output", folder.path("pruned"), "--local-workers", "1", "--format",
      "gguf",
    ]
    let interrupted = try Programs.coordinator(run + ["--worker-program", program]) { process in
      let events = folder.path("pruned/flap/events.jsonl")
      while process.isRunning,
        (try? String(contentsOfFile: events, encoding: .utf8))?.contains("workers_dismissed")
          != true
      { usleep(2000) }
      kill(process.processIdentifier, SIGINT)
    }
    #expect(interrupted.exitCode == 130)
    #expect(interrupted.standardError.contains("continue with --resume"))
    #expect(!FileManager.default.fileExists(atPath: folder.path("pruned/model.gguf")))

    let resumed = try Programs.coordinator(run + ["--resume", "--worker-program", "/bin/false"])
    #expect(resumed.exitCode == 0, "\(resumed.standardError)")
    #expect(!resumed.standardError.contains("/bin/false"))
    #expect(FileManager.default.fileExists(atPath: folder.path("pruned/model.gguf")))
    #expect(!FileManager.default.fileExists(atPath: folder.path("pruned/flap/journal")))
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
