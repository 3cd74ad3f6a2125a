import FlapCore
import FlapTestKit
import Foundation
import Storage
import SystemPackage
import Testing

/// What happens to workers at night, on real processes: killed, preempted, left alone.
@Suite(.serialized)
struct NightTests {
  @Test("two workers of the only host, each killed once: both are back at work")
  func bothKilled() throws {
    let coordinator = try WaitingCoordinator(
      sampleCount: 256, ["--verbose", "--compute", "f32"], localWorkers: 2)
    for killed in 0..<2 {
      #expect(coordinator.says(" joined (", atLeast: 2 + killed))
      kill(try coordinator.joined()[killed].process, SIGKILL)
    }
    #expect(coordinator.says(" joined (", atLeast: 4))
    for worker in try coordinator.joined().suffix(2) {
      #expect(coordinator.says("goes to \(worker.name) "))
    }
    #expect(coordinator.lines(with: " lost with worker ").count <= 2)
    #expect(coordinator.lines(with: "refused").isEmpty, "\(coordinator.logText)")
    #expect(coordinator.lines(with: "is left out").isEmpty)
  }

  @Test("a coordinator that stands still for longer than any lease loses no worker")
  func stalledCoordinator() throws {
    let coordinator = try WaitingCoordinator(
      sampleCount: 200, ["--verbose", "--compute", "f32", "--dead-after", "6"])
    let workers = try (0..<4).map { _ in try coordinator.startWorker() }
    #expect(coordinator.says("is stored", atLeast: 4))
    coordinator.stop()
    // The lease of a worker is 7.2 s here.
    usleep(9_000_000)
    coordinator.goOn()
    let digest = try coordinator.end(workers)
    #expect(coordinator.lines(with: " lost").isEmpty, "\(coordinator.logText)")
    #expect(coordinator.lines(with: "is left out").isEmpty)
    #expect(workers.allSatisfy { $0.terminationStatus == 0 })
    #expect(digest == (try undisturbedDigest()))
  }

  @Test("each worker asked to leave in turn gives its task back; nobody is blamed, the bits stay")
  func preemptions() throws {
    let coordinator = try WaitingCoordinator(
      sampleCount: 200, ["--verbose", "--compute", "f32"])
    var workers = [try coordinator.startWorker(), try coordinator.startWorker()]
    for number in 1...4 {
      #expect(coordinator.says("is stored", atLeast: number))
      let leaving = workers.removeFirst()
      kill(leaving.processIdentifier, SIGTERM)
      leaving.waitUntilExit()
      #expect(leaving.terminationStatus == 4)
      workers.append(try coordinator.startWorker())
    }
    let digest = try coordinator.end(workers)
    #expect(coordinator.lines(with: "it was asked to (SIGTERM)").count == 4)
    #expect(coordinator.lines(with: " lost").isEmpty, "\(coordinator.logText)")
    #expect(digest == (try undisturbedDigest()))
  }

  @Test("workers that join on their own wait out an interrupted coordinator and end with the run")
  func interruptedCoordinator() throws {
    let folder = try TemporaryFolder()
    let ticket = folder.path("ticket")
    let arguments =
      run(folder) + ["--launcher", "none", "--listen", "127.0.0.1", "--connect-file", ticket]
    var worker: Process?
    let interrupted = try Programs.coordinator(arguments) { process in
      while process.isRunning, !FileManager.default.fileExists(atPath: ticket) { usleep(5000) }
      worker = try Programs.worker(["--connect-file", ticket, "--threads", "1"])
      // Some of the work is done, most of it is not.
      let events = folder.path("pruned/flap/events.jsonl")
      while process.isRunning,
        !((try? String(contentsOfFile: events, encoding: .utf8))?.contains("task_stored") ?? false)
      {
        usleep(5000)
      }
      kill(process.processIdentifier, SIGINT)
    }
    #expect(interrupted.exitCode != 0)
    #expect(interrupted.standardError.contains("continue with --resume"))
    let waiting = try #require(worker)
    usleep(1_000_000)
    #expect(waiting.isRunning)
    // The next one has another port and other keys.
    let resumed = try Programs.coordinator(arguments + ["--resume"])
    #expect(resumed.exitCode == 0, "\(resumed.standardError)")
    waiting.waitUntilExit()
    #expect(waiting.terminationStatus == 0)
  }

  @Test("a worker says by its exit code whether it is worth starting again")
  func exitCodes() throws {
    let folder = try TemporaryFolder()
    let coordinator = try WaitingCoordinator()
    func exitCode(model: String, ticket: String) throws -> Int32 {
      let worker = try Programs.worker(["--connect-file", ticket], model: model)
      worker.waitUntilExit()
      return worker.terminationStatus
    }
    // A file server that is late, a coordinator that has not begun.
    #expect(try exitCode(model: folder.path("nothing"), ticket: coordinator.ticketPath) == 1)
    #expect(try exitCode(model: Programs.model, ticket: folder.path("nothing")) == 1)
    // Files that are what they are.
    let other = try folder.copyModel()
    let index = URL(fileURLWithPath: other + "/config.json")
    try Data("{}".utf8).write(to: index)
    #expect(try exitCode(model: other, ticket: coordinator.ticketPath) == 3)
    let ticket = try folder.write(Array("no ticket\n".utf8), to: "bad")
    #expect(try exitCode(model: Programs.model, ticket: ticket) == 3)
    _ = try coordinator.finish()
  }

  private func undisturbedDigest() throws -> Digest {
    try WaitingCoordinator.undisturbedDigest(sampleCount: 200, ["--compute", "f32"])
  }

  /// A run of some seconds on one core.
  private func run(_ folder: TemporaryFolder) -> [String] {
    [
      "--model", Programs.model, "--calibration", Programs.calibration, "--ratio", "0.2",
      "--output", folder.path("pruned"), "--threads", "1", "--compute", "f32", "--tokens-per-leaf",
      "128", "--leaves-per-unit", "1", "--verbose",
    ]
  }
}
