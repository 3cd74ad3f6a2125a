import FlapTestKit
import Foundation
import Testing

/// Wrong ways to ask for workers: one clear line each, and nothing is begun.
struct ClusterOptionTests {
  @Test(
    "options that do not go together, addresses that are none",
    arguments: [
      (["--launcher", "ssh"], "needs --workers HOSTS.txt"),
      (["--launcher", "none", "--numa", "on"], "--numa on goes with workers of this machine"),
      (["--launcher", "slurm"], "works inside an allocation"),
      (["--workers", "/nonexistent/hosts.txt"], "cannot open /nonexistent/hosts.txt"),
      (["--launcher", "none", "--local-workers", "2"], "--local-workers goes with"),
      (["--insecure", "--key-file", "k"], "exclude each other"),
      (["--listen", "0.0.0.0:5555"], "name the address or interface"),
      (["--listen", "127.0.0.1:99999"], "a port is a number"),
      (["--listen", "no-such-interface"], "no-such-interface"),
      (["--metrics", "127.0.0.1"], "name a port"),
      (["--metrics", "localhost:1"], "no IP address"),
      (["--launcher", "none", "--join-timeout", "1"], "no worker for 1 s: start some"),
    ])
  func refused(options: [String], reason: String) throws {
    let folder = try TemporaryFolder()
    let outcome = try run(folder, options)
    #expect(outcome.exitCode != 0)
    #expect(outcome.standardError.contains(reason), "\(outcome.standardError)")
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).isEmpty)
  }

  @Test(
    "hosts files with errors",
    arguments: [
      ("# nothing\n", "names no host"), ("node1\nnode1\n", "line 2"), ("node1 lanes=0\n", "line 1"),
      ("\nnode1 gpus=4\n", "line 2"),
      ("node1 memory=8MB\n", "node1, line 1"),
    ])
  func hostsFile(text: String, reason: String) throws {
    let folder = try TemporaryFolder()
    let hosts = try folder.write(Array(text.utf8), to: "hosts.txt")
    let outcome = try run(folder, ["--workers", hosts])
    #expect(outcome.exitCode != 0)
    #expect(outcome.standardError.contains("hosts.txt"))
    #expect(outcome.standardError.contains(reason), "\(outcome.standardError)")
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["hosts.txt"])
  }

  @Test("a host's model may be named as on the hub, which no copy can be made into")
  func hubModel() throws {
    let folder = try TemporaryFolder()
    let hosts = try folder.write(Array("localhost model=o/m\n".utf8), to: "hosts.txt")
    let shown = try run(folder, ["--workers", hosts, "--dry-run"])
    #expect(shown.exitCode == 0 && shown.standardOutput.contains("--model o/m"))
    let refused = try run(folder, ["--workers", hosts, "--dry-run", "--ship-model"])
    #expect(refused.exitCode != 0)
    #expect(refused.standardError.contains("line 1 of \(hosts) has model=o/m: name a folder there"))
  }

  @Test("a port in use is told, for workers and for metrics")
  func portInUse() throws {
    let folder = try TemporaryFolder()
    let ticket = folder.path("ticket")
    var second: [Programs.Outcome] = []
    let arguments = [
      "--launcher", "none", "--connect-file", ticket, "--metrics", "127.0.0.1:39464",
    ]
    _ = try Programs.coordinator(
      command(folder.path("first")) + arguments + ["--join-timeout", "600"]
    ) { process in
      while process.isRunning, !FileManager.default.fileExists(atPath: ticket) { usleep(1000) }
      usleep(300_000)
      let text = try String(contentsOfFile: ticket, encoding: .utf8)
      let endpoint = text.split(separator: "\n").first { $0.hasPrefix("endpoint tcp://") }
      let place = String(try #require(endpoint).dropFirst("endpoint tcp://".count))
      second.append(try Programs.coordinator(command(folder.path("b")) + ["--listen", place]))
      second.append(
        try Programs.coordinator(command(folder.path("c")) + ["--metrics", "127.0.0.1:39464"]))
      kill(process.processIdentifier, SIGTERM)
    }
    #expect(second.count == 2)
    for outcome in second {
      #expect(outcome.exitCode != 0)
      #expect(outcome.standardError.lowercased().contains("address already in use"))
    }
  }

  @Test("--log-format json: every line is an object")
  func jsonLogs() throws {
    let folder = try TemporaryFolder()
    let outcome = try run(folder, ["--log-format", "json", "--verbose"])
    #expect(outcome.exitCode == 0)
    let lines = outcome.standardError.split(separator: "\n")
    #expect(lines.count >= 2)
    for line in lines {
      let object = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
      #expect(object?["level"] is String && object?["message"] is String, "\(line)")
      #expect((object?["time"] as? String)?.hasSuffix("Z") == true)
    }
  }

  @Test("a worker with fixed keys outlives its coordinator and serves the next")
  func workerOutlivesCoordinator() throws {
    let folder = try TemporaryFolder()
    let endpoint = "tcp://127.0.0.1:39555"
    let keys = try Programs.coordinator([
      "keys", "--endpoint", endpoint, "--coordinator", folder.path("keys"), "--worker",
      folder.path("ticket"),
    ])
    #expect(keys.exitCode == 0)
    for file in ["keys", "ticket"] {
      let mode = try FileManager.default.attributesOfItem(atPath: folder.path(file))
      #expect(mode[.posixPermissions] as? Int == 0o600)
    }
    let reference = try Programs.coordinator(command(folder.path("reference")) + slow)
    #expect(reference.exitCode == 0)
    let worker = try Programs.worker(["--connect-file", folder.path("ticket"), "--threads", "1"])
    let arguments =
      command(folder.path("out")) + slow + [
        "--launcher", "none", "--key-file", folder.path("keys"), "--listen", "127.0.0.1:39555",
        "--leaves-per-unit", "1", "--resume",
      ]
    _ = try Programs.coordinator(arguments) { process in
      let journal = folder.path("out.run/journal/weight-norms-0")
      while process.isRunning, !FileManager.default.fileExists(atPath: journal) { usleep(1000) }
      kill(process.processIdentifier, SIGKILL)
    }
    // The worker is fenced: it comes back under another name and does not finish the old task.
    let resumed = try Programs.coordinator(arguments)
    #expect(resumed.exitCode == 0, "\(resumed.standardError)")
    worker.waitUntilExit()
    #expect(worker.terminationStatus == 0)
    #expect(
      try Data(contentsOf: URL(fileURLWithPath: folder.path("out")))
        == Data(contentsOf: URL(fileURLWithPath: folder.path("reference"))))
  }

  private let slow = ["--compute", "f32", "--tokens-per-leaf", "128", "--threads", "1"]

  private func command(_ output: String) -> [String] {
    [
      "calibrate", "--model", Programs.model, "--calibration", Programs.calibration, "--output",
      output,
    ]
  }

  private func run(_ folder: TemporaryFolder, _ options: [String]) throws -> Programs.Outcome {
    let output = try TemporaryFolder()
    return try Programs.coordinator(command(output.path("statistics")) + options)
  }
}
