import FlapCore
import FlapTestKit
import Foundation
import Storage
import Synchronization
import SystemPackage

/// The built programs, run as users run them.
enum Programs {
  /// What came of one run.
  struct Outcome {
    let exitCode: Int32
    let standardOutput: String
    let standardError: String

    /// The JSON object on standard output.
    var json: [String: Any] {
      get throws {
        try JSONSerialization.jsonObject(with: Data(standardOutput.utf8)) as? [String: Any] ?? [:]
      }
    }
  }

  /// The programs lie beside the test runner.
  static let folder = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent()
  static let repository = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
  static let model = repository.appending(path: "deploy/demo/model").path
  static let calibration = model + "/calibration.npy"

  /// Runs flap-coord to its end.
  /// - Parameters:
  ///   - environment: variables besides those of the tests.
  ///   - whileRunning: called once it has started, with its process.
  static func coordinator(
    _ arguments: [String], environment: [String: String] = [:],
    whileRunning: (Process) throws -> Void = { _ in }
  ) throws -> Outcome {
    let process = Process()
    if !environment.isEmpty {
      process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
    }
    process.executableURL = folder.appending(path: "flap-coord")
    process.arguments = arguments
    return try outcome(of: process, whileRunning: whileRunning)
  }

  /// Runs a process to its end.
  static func outcome(
    of process: Process, whileRunning: (Process) throws -> Void = { _ in }
  ) throws -> Outcome {
    let output = Pipe()
    let error = Pipe()
    process.standardOutput = output
    process.standardError = error
    try process.run()
    try whileRunning(process)
    // Both pipes are emptied at once, so that neither fills up and blocks the program.
    let errorText = Mutex("")
    let reader = Thread {
      let data = error.fileHandleForReading.readDataToEndOfFile()
      errorText.withLock { $0 = String(decoding: data, as: UTF8.self) }
    }
    reader.start()
    let data = output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    while !reader.isFinished { usleep(1000) }
    return Outcome(
      exitCode: process.terminationStatus, standardOutput: String(decoding: data, as: UTF8.self),
      standardError: errorText.withLock { $0 })
  }

  /// Starts a flap-worker by hand.
  static func worker(_ arguments: [String], model: String = model) throws -> Process {
    let process = Process()
    process.executableURL = folder.appending(path: "flap-worker")
    process.arguments = ["--model", model] + arguments
    try process.run()
    return process
  }

  /// The SHA-256 of every safetensors file below a folder, by its name.
  static func digests(below folder: String) throws -> [String: Digest] {
    let names = try FileManager.default.subpathsOfDirectory(atPath: folder)
    var digests: [String: Digest] = [:]
    for name in names where name.hasSuffix(".safetensors") {
      digests[name] = try SmallFile.digest(FilePath(folder + "/" + name))
    }
    return digests
  }

  /// Processes that a process has started and that still run.
  static func children(of process: Int32) -> [Int32] {
    let path = "/proc/\(process)/task/\(process)/children"
    guard let text = try? String(contentsOfFile: path, encoding: .utf8) else { return [] }
    return text.split(separator: " ").compactMap { Int32($0) }
  }

  static func isRunning(_ process: Int32) -> Bool {
    guard let text = try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8) else {
      return false
    }
    // A zombie has ended; its parent has not looked yet.
    return !text.contains(") Z ")
  }
}

extension TemporaryFolder {
  /// A copy of the bundled model that a test may damage.
  func copyModel() throws -> String {
    let copy = path("model")
    try FileManager.default.copyItem(atPath: Programs.model, toPath: copy)
    return copy
  }
}
