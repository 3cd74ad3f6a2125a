import FlapCore
import FlapTestKit
import Foundation
import Storage
import Synchronization
import SystemPackage
import Testing
import Transport

/// A flap-coord that calibrates the bundled model with whoever joins, watched while it runs.
final class WaitingCoordinator {
  /// What workers need to join, and so does who wants to do harm with a worker's keys.
  let ticket: ConnectionTicket
  let ticketPath: String
  private let folder: TemporaryFolder
  private let output: String
  private let process = Process()
  private let error = Pipe()
  private let log = Log()

  private final class Log: Sendable {
    let text = Mutex("")
  }

  /// Small tasks, so that there are enough of them to give some to several workers.
  private static func options(_ sampleCount: Int) -> [String] {
    [
      "calibrate", "--model", Programs.model, "--calibration", Programs.calibration, "--samples",
      "\(sampleCount)", "--tokens-per-leaf", "128", "--leaves-per-unit", "1",
    ]
  }

  /// Returns once it listens.
  /// - Parameters:
  ///   - arguments: besides those that every run here has.
  ///   - environment: what its environment has besides this one's.
  ///   - localWorkers: how many workers it starts itself; nil: it starts none.
  init(
    sampleCount: Int = 24, _ arguments: [String] = ["--quiet"],
    environment: [String: String] = [:], localWorkers: Int? = nil
  ) throws {
    folder = try TemporaryFolder()
    output = folder.path("statistics.safetensors")
    ticketPath = folder.path("ticket")
    process.executableURL = Programs.folder.appending(path: "flap-coord")
    process.arguments =
      WaitingCoordinator.options(sampleCount) + arguments
      + [
        "--output", output, "--listen", "127.0.0.1", "--connect-file", ticketPath,
      ] + (localWorkers.map { ["--local-workers", "\($0)"] } ?? ["--launcher", "none"])
    process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
    process.standardOutput = FileHandle.nullDevice
    process.standardError = error
    error.fileHandleForReading.readabilityHandler = { [log] handle in
      let data = handle.availableData
      if data.isEmpty { handle.readabilityHandler = nil }
      log.text.withLock { $0 += String(decoding: data, as: UTF8.self) }
    }
    try process.run()
    let path = ticketPath
    guard Self.waits(until: { FileManager.default.fileExists(atPath: path) }) else {
      process.terminate()
      throw NotListening()
    }
    ticket = try ConnectionTicket(text: String(contentsOfFile: ticketPath, encoding: .utf8))
  }

  struct NotListening: Error {}

  deinit { if process.isRunning { kill(process.processIdentifier, SIGKILL) } }

  /// The statistics of a run that nobody disturbs.
  static func undisturbedDigest(
    sampleCount: Int = 24, _ arguments: [String] = []
  ) throws -> Digest {
    let folder = try TemporaryFolder()
    let output = folder.path("statistics.safetensors")
    let outcome = try Programs.coordinator(
      options(sampleCount) + arguments
        + ["--output", output, "--local-workers", "1", "--threads", "1"])
    try #require(outcome.exitCode == 0, "\(outcome.standardError)")
    return try SmallFile.digest(FilePath(output))
  }

  // MARK: Watching

  var isAlive: Bool { process.isRunning }

  var logText: String { log.text.withLock { $0 } }

  /// The lines so far that contain a text.
  func lines(with text: String) -> [Substring] {
    logText.split(separator: "\n").filter { $0.contains(text) }
  }

  /// The workers that have joined so far, the first one first. Wants `--verbose`.
  func joined() throws -> [(name: String, process: Int32)] {
    try lines(with: " joined (").map { line in
      // worker NAME joined (HOST, process NUMBER)
      let words = line.split { " ()".contains($0) }
      return (String(words[1]), try #require(words.last.flatMap { Int32($0) }))
    }
  }

  /// - Returns: whether so many such lines come, now or soon.
  func says(_ text: String, atLeast count: Int = 1) -> Bool {
    Self.waits(until: { [self] in lines(with: text).count >= count })
  }

  /// Its process stands still, as a suspended machine does.
  func stop() { kill(process.processIdentifier, SIGSTOP) }

  func goOn() { kill(process.processIdentifier, SIGCONT) }

  /// `RssAnon` of proc(5).
  var anonymousBytes: Int {
    get throws {
      let status = try String(
        contentsOfFile: "/proc/\(process.processIdentifier)/status", encoding: .utf8)
      let line = status.split(separator: "\n").first { $0.hasPrefix("RssAnon:") }
      return try #require(line?.split { !$0.isNumber }.first.flatMap { Int($0) }) << 10
    }
  }

  private static func waits(until condition: () -> Bool) -> Bool {
    let deadline = ContinuousClock.now + .seconds(20)
    while !condition() {
      if ContinuousClock.now > deadline { return false }
      usleep(5000)
    }
    return true
  }

  // MARK: The end

  /// An honest worker that joins on its own.
  func startWorker() throws -> Process {
    try Programs.worker(["--connect-file", ticketPath, "--threads", "1"])
  }

  /// Lets an honest worker do what is left of the run.
  /// - Returns: the digest of the statistics.
  func finish() throws -> Digest { try end([startWorker()]) }

  /// Lets workers do what is left of the run.
  /// - Returns: the digest of the statistics.
  func end(_ workers: [Process]) throws -> Digest {
    process.waitUntilExit()
    for worker in workers {
      worker.waitUntilExit()
      #expect(worker.terminationStatus == 0)
    }
    #expect(process.terminationStatus == 0, "\(logText)")
    return try SmallFile.digest(FilePath(output))
  }
}
