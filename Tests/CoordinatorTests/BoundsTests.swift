import FlapTestKit
import Foundation
import Testing
import Transport

/// Input that is absurd, or meant to do harm: one clear line, soon.
struct BoundsTests {
  @Test(
    "numbers beyond all reason",
    arguments: [
      (["--dead-after", "9223372036854775807"], "--dead-after 9223372036854775807: give 2 to"),
      (["--hung-after", "9223372036854775807"], "--hung-after 9223372036854775807: give 2 to"),
      (["--join-timeout", "9223372036854775807"], "--join-timeout 9223372036854775807: give 1 to"),
      (["--leaves-per-unit", "100000"], "--leaves-per-unit is 1 to 4096"),
      (["--threads", "1000000"], "--threads 1000000: give 1 to 4096"),
      (["--local-workers", "1000000"], "--local-workers 1000000: give 1 to 1024"),
    ])
  func numbers(options: [String], reason: String) throws {
    let folder = try TemporaryFolder()
    let outcome = try Programs.coordinator(command(folder) + options)
    #expect(outcome.exitCode != 0)
    #expect(outcome.standardError.contains("Error: \(reason)"), "\(outcome.standardError)")
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).isEmpty)
  }

  @Test(
    "a pipe where a file belongs is refused; nobody waits for a writer", .timeLimit(.minutes(1)),
    arguments: ["model-00002-of-00002.safetensors", "config.json", "calibration.npy"])
  func pipe(name: String) throws {
    let folder = try TemporaryFolder()
    let model = try folder.copyModel()
    try FileManager.default.removeItem(atPath: model + "/" + name)
    #expect(mkfifo(model + "/" + name, 0o600) == 0)
    let outcome = try Programs.coordinator([
      "--model", model, "--calibration", model + "/calibration.npy", "--ratio", "0.2", "--output",
      folder.path("out"),
    ])
    #expect(outcome.exitCode != 0)
    #expect(
      outcome.standardError.contains("\(name) is no regular file"), "\(outcome.standardError)")
  }

  @Test("a path that is not UTF-8 is refused: repaired it would be another")
  func notUTF8() throws {
    let folder = try TemporaryFolder()
    let words = (command(folder, output: false) + ["--output"]).joined(separator: " ")
    for program in ["flap-coord " + words, "flap-worker --connect-file - --model"] {
      let outcome = try shell("exec \(program) \"$(printf '\(folder.path)/a\\377b')\"")
      #expect(outcome.exitCode != 0)
      #expect(outcome.standardError.contains("is not UTF-8"), "\(outcome.standardError)")
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).isEmpty)
    }
  }

  @Test("keys and tickets that everybody may read are refused")
  func readableSecrets() throws {
    let folder = try TemporaryFolder()
    let (keys, ticket) = (folder.path("keys"), folder.path("ticket"))
    let made = try Programs.coordinator([
      "keys", "--endpoint", "tcp://127.0.0.1:1", "--coordinator", keys, "--worker", ticket,
    ])
    #expect(made.exitCode == 0, "\(made.standardError)")
    for path in [keys, ticket] {
      let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
      #expect(mode == 0o600)
      #expect(chmod(path, 0o644) == 0)
    }
    let coordinator = try Programs.coordinator(command(folder) + ["--key-file", keys])
    #expect(coordinator.exitCode != 0)
    #expect(coordinator.standardError.contains("(mode 644): chmod 600 \(keys)"))
    let worker = try shell("exec flap-worker --connect-file \(ticket) --model \(Programs.model)")
    #expect(worker.exitCode == 3)
    #expect(worker.standardError.contains("(mode 644): chmod 600 \(ticket)"))
  }

  @Test("samples longer than the model was made for are worth a warning, which changes nothing")
  func longSamples() throws {
    let folder = try TemporaryFolder()
    let model = try folder.copyModel()
    let path = model + "/config.json"
    let config = try String(contentsOfFile: path, encoding: .utf8)
    let small = config.replacing(
      "\"max_position_embeddings\": 512", with: "\"max_position_embeddings\": 64")
    try Data(small.utf8).write(to: URL(fileURLWithPath: path))
    for (model, isWarned) in [(Programs.model, false), (model, true)] {
      let outcome = try Programs.coordinator([
        "--model", model, "--calibration", Programs.calibration, "--ratio", "0.2", "--output",
        folder.path("out"), "--dry-run",
      ])
      #expect(outcome.exitCode == 0, "\(outcome.standardError)")
      #expect(outcome.standardError.contains("(max_position_embeddings 64)") == isWarned)
    }
  }

  @Test("a worker says what it waits for: a coordinator that is not there, or one with other keys")
  func waitingWorkers() throws {
    let folder = try TemporaryFolder()
    let coordinator = try WaitingCoordinator()
    let run = coordinator.ticket
    let keys = try #require(run.keys)
    let strangers: [(endpoint: String, ConnectionTicket.Keys, reason: String)] = [
      (run.endpoint, .init(server: keys.server, client: try .generate()), "it ends the handshake"),
      (
        run.endpoint, .init(server: try CurveKeyPair.generate().publicKey, client: keys.client),
        "it ends the handshake"
      ),
      // A port that nobody listens at.
      ("tcp://127.0.0.1:1", keys, "nobody listens there"),
    ]
    let workers = try strangers.enumerated().map { number, stranger in
      let ticket = try ConnectionTicket(endpoint: stranger.endpoint, run: "0", keys: stranger.1)
      let path = try folder.write(Array(ticket.text.utf8), to: "ticket-\(number)")
      #expect(chmod(path, 0o600) == 0)
      let log = try folder.write([], to: "log-\(number)")
      let worker = Process()
      worker.executableURL = Programs.folder.appending(path: "flap-worker")
      worker.arguments = ["--model", Programs.model, "--connect-file", path]
      worker.standardError = try FileHandle(forWritingTo: URL(fileURLWithPath: log))
      try worker.run()
      return (worker, log, stranger.reason)
    }
    for (worker, log, reason) in workers {
      var lines: [Substring] = []
      let deadline = ContinuousClock.now + .seconds(40)
      while lines.isEmpty, ContinuousClock.now < deadline {
        usleep(50_000)
        lines = try String(contentsOfFile: log, encoding: .utf8).split(separator: "\n")
          .filter { $0.contains("waiting for the coordinator at ") }
      }
      #expect(lines.count == 1 && lines.allSatisfy { $0.contains(reason) }, "\(lines)")
      worker.terminate()
      worker.waitUntilExit()
      #expect(worker.terminationStatus == 4)
    }
    _ = try coordinator.finish()
  }

  @Test("a worker without memory says what it wants, in a line, and its task is given back")
  func outOfMemory() throws {
    let folder = try TemporaryFolder()
    // A sample of a million tokens takes 3.4 GiB in f32.
    let count = 1 << 20
    let fields = "{'descr': '<i4', 'fortran_order': False, 'shape': (1, \(count)), }"
    let header = fields + String(repeating: " ", count: 117 - fields.utf8.count) + "\n"
    let samples = try folder.write(
      [0x93] + Array("NUMPY".utf8) + [1, 0, UInt8(header.utf8.count), 0] + Array(header.utf8)
        + [UInt8](repeating: 0, count: 4 * count), to: "samples.npy")
    let worker = Programs.folder.appending(path: "flap-worker").path
    let program = try folder.write(
      Array("#!/bin/sh\nulimit -v 2500000\nexec '\(worker)' \"$@\"\n".utf8), to: "small-worker")
    #expect(chmod(program, 0o700) == 0)
    let outcome = try Programs.coordinator([
      "calibrate", "--model", Programs.model, "--calibration", samples, "--compute", "f32",
      "--local-workers", "1", "--threads", "2", "--worker-program", program, "--output",
      folder.path("statistics"),
    ])
    #expect(outcome.exitCode != 0)
    let error = outcome.standardError
    #expect(error.contains("cannot allocate") && error.contains("--leaves-per-unit"), "\(error)")
    #expect(error.split(separator: "\n").count < 30, "\(error)")
  }

  private func command(_ folder: TemporaryFolder, output: Bool = true) -> [String] {
    [
      "calibrate", "--model", Programs.model, "--calibration", Programs.calibration, "--samples",
      "16",
    ] + (output ? ["--output", folder.path("statistics")] : [])
  }

  /// Runs a line of the shell with the programs in its path.
  private func shell(_ line: String) throws -> Programs.Outcome {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/bin/sh")
    process.arguments = ["-c", line]
    process.environment = ProcessInfo.processInfo.environment.merging(
      ["PATH": "\(Programs.folder.path):/usr/bin:/bin"]) { $1 }
    process.standardInput = FileHandle.nullDevice
    return try Programs.outcome(of: process)
  }
}
