import FlapTestKit
import Foundation
import Testing

/// `flap-coord status` and `flap/events.jsonl`, of real runs.
@Suite(.serialized)
struct StatusTests {
  private let folder: TemporaryFolder
  private var output: String { folder.path("pruned") }
  private var eventFile: String { output + "/flap/events.jsonl" }
  private let metrics = "127.0.0.1:39481"

  init() throws { folder = try TemporaryFolder() }

  @Test("a run that loses a worker, is interrupted and goes on: each moment is told")
  func story() throws {
    var running: [String: Any] = [:]
    var served: [String: Any] = [:]
    var table = ""
    var lost: Int32 = 0
    let first = try Programs.coordinator(run) { process in
      awaits { try text().contains("task_stored") }
      let workers = Programs.children(of: process.processIdentifier)
      lost = try #require(workers.first)
      kill(lost, SIGKILL)
      awaits { try text().contains("worker_lost") }
      awaits { try self.status(output)["phase"] != nil }
      awaits {
        let counts = try self.status("--metrics", metrics)["counts"] as? [String: Any]
        return counts?["lost"] as? Int == 1
      }
      running = try status(output)
      served = try status("--metrics", metrics)
      table = try Programs.coordinator(["status", output]).standardOutput
      kill(process.processIdentifier, SIGINT)
    }
    #expect(first.exitCode != 0)
    for status in [running, served] {
      #expect(status["state"] as? String == "running")
      #expect(status["process"] is Int)
      let phase = status["phase"] as? [String: Any]
      #expect(phase?["name"] as? String == "calibration")
      #expect((phase?["tasks_done"] as? Int ?? 0) > 0)
      #expect((phase?["tasks"] as? Int ?? 0) > 100)
      let counts = status["counts"] as? [String: Any]
      #expect(counts?["lost"] as? Int == 1)
      let mishap = (status["mishaps"] as? [[String: Any]])?.first
      #expect((mishap?["reason"] as? String)?.contains("killed by signal 9") == true)
      let workers = try #require(status["workers"] as? [[String: Any]])
      #expect(workers.allSatisfy { $0["process"] as? Int != Int(lost) && $0["host"] is String })
    }
    #expect(table.contains("running on "))
    #expect(table.contains("tasks stored"))

    let interrupted = try status(output)
    #expect(interrupted["state"] as? String == "interrupted")
    #expect((interrupted["line"] as? String)?.contains("continue with --resume") == true)
    #expect((interrupted["results_kept"] as? Int ?? 0) > 0)
    // Looking disturbs nothing: what was kept goes on, and is not computed again.
    let second = try Programs.coordinator(run + ["--resume"])
    #expect(second.exitCode == 0, "\(second.standardError)")
    let finished = try status(output)
    #expect(finished["state"] as? String == "finished")
    #expect(finished["lives"] as? Int == 2)

    let kinds = try events().map { $0["event"] as? String ?? "" }
    #expect(kinds.first == "started" && kinds.last == "finished")
    let milestones = kinds.filter { !$0.hasPrefix("task_") && $0 != "progress" }
    let story = [
      "started", "phase_begun", "worker_lost", "worker_restarted", "draining", "interrupted",
      "resumed", "phase_begun", "phase_ended", "phase_begun", "phase_ended", "workers_dismissed",
      "finished",
    ]
    #expect(milestones.filter { $0 != "worker_joined" && $0 != "worker_left" } == story)
    // What the killed worker had in its hands went to another, unless its result was here already.
    let loss = try #require(try events().first { $0["event"] as? String == "worker_lost" })
    if let attempt = loss["attempt"] as? String {
      let next = attempt.replacing(#/\.1$/#, with: ".2")
      let told = try events().map { ($0["event"] as? String ?? "", $0["attempt"] as? String ?? "") }
      #expect(told.contains { $0 == ("task_given", next) || $0 == ("task_stored", attempt) })
    }
  }

  @Test("every line is an object with a time and an event; the terms of the run are told")
  func lines() throws {
    let outcome = try Programs.coordinator(run + ["--samples", "16"])
    #expect(outcome.exitCode == 0, "\(outcome.standardError)")
    for event in try events() {
      #expect((event["time"] as? String)?.hasSuffix("Z") == true)
      #expect(event["event"] is String)
    }
    let started = try #require(try events().first)
    #expect((started["command"] as? [String])?.contains("--ratio") == true)
    #expect((started["options"] as? [String: String])?["--ratio"] == "0.2")
    #expect((started["options"] as? [String: String])?["model digest"]?.count == 64)
  }

  @Test("the status of a run that writes one file, and of one that only serves metrics")
  func otherRuns() throws {
    let calibrate = [
      "calibrate", "--model", Programs.model, "--calibration", Programs.calibration, "--output",
      folder.path("statistics"),
    ]
    let outcome = try Programs.coordinator(calibrate + slow) { process in
      awaits { FileManager.default.fileExists(atPath: folder.path("statistics.run/journal")) }
      awaits { try self.status(folder.path("statistics"))["phase"] != nil }
      let running = try status(folder.path("statistics"))
      #expect(running["state"] as? String == "running")
    }
    #expect(outcome.exitCode == 0, "\(outcome.standardError)")
    #expect(try status(folder.path("statistics"))["state"] as? String == "finished")
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["statistics"])

    let evaluate = [
      "eval", "--model", Programs.model, "--data", Programs.model + "/test.npy", "--metrics",
      metrics,
    ]
    var served: [String: Any] = [:]
    _ = try Programs.coordinator(evaluate + slow) { process in
      awaits { try self.status("--metrics", self.metrics)["phase"] != nil }
      served = try status("--metrics", metrics)
    }
    #expect((served["phase"] as? [String: Any])?["name"] as? String == "evaluation")
  }

  @Test("a run that is gone, or was never there: one line, and not exit code 0")
  func gone() throws {
    let failed = try Programs.coordinator(run + ["--worker-program", "/bin/false"])
    #expect(failed.exitCode != 0)
    let empty = folder.path("empty")
    try FileManager.default.createDirectory(atPath: empty, withIntermediateDirectories: false)
    for place in [[output], [empty], ["/nonexistent"], ["--metrics", metrics]] {
      let outcome = try Programs.coordinator(["status"] + place)
      #expect(outcome.exitCode != 0)
      #expect(outcome.standardOutput.isEmpty)
      let lines = outcome.standardError.split(separator: "\n")
      #expect(lines.count == 1, "\(outcome.standardError)")
      #expect(lines[0].contains(place.last!) && lines[0].contains("no run"))
    }
  }

  @Test("no room for events: one warning, and the run's bytes are the same")
  func noEvents() throws {
    let reference = try Programs.coordinator(run + ["--samples", "16"])
    #expect(reference.exitCode == 0)
    let digests = try Programs.digests(below: output)
    try FileManager.default.removeItem(atPath: output)
    // What stands in the file's place when the run goes on is no file.
    _ = try Programs.coordinator(run + ["--samples", "16"]) { process in
      awaits { try text().contains("task_stored") }
      kill(process.processIdentifier, SIGKILL)
    }
    try FileManager.default.removeItem(atPath: eventFile)
    try FileManager.default.createDirectory(atPath: eventFile, withIntermediateDirectories: false)
    let resumed = try Programs.coordinator(run + ["--samples", "16", "--resume"])
    #expect(resumed.exitCode == 0, "\(resumed.standardError)")
    let warnings = resumed.standardError.split(separator: "\n").filter {
      $0.contains("no more events")
    }
    #expect(warnings.count == 1)
    #expect(try Programs.digests(below: output) == digests)
  }

  /// A run that takes some seconds.
  private var run: [String] {
    [
      "--model", Programs.model, "--calibration", Programs.calibration, "--ratio", "0.2",
      "--output", output, "--metrics", metrics,
    ] + slow
  }

  private let slow = [
    "--local-workers", "2", "--threads", "1", "--compute", "f32", "--tokens-per-leaf", "128",
    "--leaves-per-unit", "1",
  ]

  private func status(_ place: String...) throws -> [String: Any] {
    try Programs.coordinator(["status", "--json"] + place).json
  }

  private func text() throws -> String { try String(contentsOfFile: eventFile, encoding: .utf8) }

  private func events() throws -> [[String: Any]] {
    try text().split(separator: "\n").map { line in
      try #require(
        try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any], "\(line)")
    }
  }

  /// The condition comes true within some seconds.
  private func awaits(
    _ location: SourceLocation = #_sourceLocation, until condition: () throws -> Bool
  ) {
    for _ in 0..<2000 {
      if (try? condition()) == true { return }
      usleep(5000)
    }
    Issue.record("in vain", sourceLocation: location)
  }
}
