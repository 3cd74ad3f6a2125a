import FlapCore
import FlapTestKit
import Foundation
import Testing

/// Files of an unfinished or a finished run that are no more what the run has written.
@Suite(.serialized)
struct DamageTests {
  private static let options = [
    "--model", Programs.model, "--calibration", Programs.calibration, "--local-workers", "1",
    "--threads", "1", "--leaves-per-unit", "1", "--compute", "f32", "--tokens-per-leaf", "128",
    "--samples", "64", "--ratio", "0.3", "--max-shard-size", "300KB", "--output",
  ]

  @Test("a damaged shard of an interrupted run is written again, alone")
  func shardOfInterruptedRun() throws {
    let folder = try TemporaryFolder()
    let expected = try reference(in: folder)
    try interrupt(folder) { try shards(in: folder).count >= 2 }
    let damaged = try #require(try shards(in: folder).first)
    try flip(folder.path("out/\(damaged)"))
    let resumed = try resume(folder)
    #expect(resumed.standardError.contains("\(damaged) is damaged or missing: it is written again"))
    #expect(!resumed.standardError.contains("calibration"), "nothing else was to be done again")
    #expect(try Programs.digests(below: folder.path("out")) == expected)
    try expectTrueRecord(in: folder)
  }

  @Test("a missing shard of a finished run is written again, a damaged one, too")
  func shardsOfFinishedRun() throws {
    let folder = try TemporaryFolder()
    let expected = try reference(in: folder)
    try finish(folder)
    let names = try shards(in: folder)
    try FileManager.default.removeItem(atPath: folder.path("out/\(names[0])"))
    try flip(folder.path("out/\(names[1])"))
    let resumed = try resume(folder)
    for name in names[...1] {
      #expect(resumed.standardError.contains("\(name) is damaged or missing: it is written again"))
    }
    #expect(!resumed.standardError.contains("calibration: "))
    #expect(try Programs.digests(below: folder.path("out")) == expected)
    try expectTrueRecord(in: folder)
    #expect(try resume(folder).standardError.contains("is complete: there is nothing to resume"))
  }

  @Test("statistics of a finished run that are damaged are computed again")
  func statisticsOfFinishedRun() throws {
    let folder = try TemporaryFolder()
    let expected = try reference(in: folder)
    try finish(folder)
    try flip(folder.path("out/flap/statistics.safetensors"))
    let resumed = try resume(folder)
    #expect(resumed.standardError.contains("flap/statistics.safetensors is damaged or missing"))
    #expect(try Programs.digests(below: folder.path("out")) == expected)
  }

  @Test("the samples of a damaged node are computed again")
  func node() throws {
    let folder = try TemporaryFolder()
    let expected = try reference(in: folder)
    let journal = folder.path("out/flap/journal")
    func nodes() throws -> [String] {
      let names = (try? FileManager.default.contentsOfDirectory(atPath: journal)) ?? []
      return names.filter { $0.hasPrefix("moments-") && !$0.contains(".tmp") }
    }
    try interrupt(folder) { try nodes().contains { $0.hasPrefix("moments-3-") } }
    // One of them may have been merged, or not be named yet.
    let names = try nodes()
    for name in names { try flip(journal + "/" + name) }
    let resumed = try resume(folder)
    #expect(
      names.contains { name in
        resumed.standardError.contains(
          "\(name) is damaged or missing: its samples are computed again")
      }, "\(resumed.standardError)")
    #expect(resumed.standardError.contains("results reused"))
    #expect(try Programs.digests(below: folder.path("out")) == expected)
  }

  @Test("perplexities and a GGUF file are added to a finished run, and nothing else is done again")
  func added() throws {
    let folder = try TemporaryFolder()
    let expected = try reference(in: folder)
    try finish(folder)
    let addition = ["--eval", Programs.model + "/test.npy", "--format", "gguf"]
    let resumed = try resume(folder, addition)
    #expect(!resumed.standardError.contains("calibration: "))
    #expect(try Programs.digests(below: folder.path("out")) == expected)
    let evaluation = try record(in: folder)["evaluation"] as? [String: Any]
    #expect(evaluation?["pruned"] is Double)
    #expect(try text("README.md", in: folder).lowercased().contains("perplexity"))
    #expect(FileManager.default.fileExists(atPath: folder.path("out/model.gguf")))

    let again = try resume(folder, addition)
    #expect(again.standardError.contains("is complete: there is nothing to resume"))
    // They stay when a shard is written again, though nobody asks for them.
    try flip(folder.path("out/\(try shards(in: folder)[0])"))
    _ = try resume(folder)
    #expect((try record(in: folder)["evaluation"] as? [String: Any])?["pruned"] is Double)
    #expect(try record(in: folder)["gguf"] != nil)
  }

  @Test("calibrate --resume of a finished run computes nothing; of another run it is refused")
  func finishedCalibration() throws {
    let folder = try TemporaryFolder()
    let arguments = [
      "calibrate", "--model", Programs.model, "--calibration", Programs.calibration, "--compute",
      "f32", "--output", folder.path("statistics"), "--resume", "--samples",
    ]
    #expect(try Programs.coordinator(arguments + ["8"]).exitCode == 0)
    let finished = try Programs.coordinator(arguments + ["8", "--worker-program", "/bin/false"])
    #expect(finished.exitCode == 0, "\(finished.standardError)")
    #expect(finished.standardError.contains("is complete: there is nothing to resume"))
    let other = try Programs.coordinator(arguments + ["16"])
    #expect(other.exitCode != 0)
    #expect(other.standardError.contains("--samples was 8, is 16"))
  }

  @Test("a journal that cannot be read is one clear line")
  func unreadableJournal() throws {
    let folder = try TemporaryFolder()
    try interrupt(folder) { true }
    let database = folder.path("out/flap/journal/journal.sqlite")
    try Data(repeating: 7, count: 10_000).write(to: URL(fileURLWithPath: database))
    let resumed = try Programs.coordinator(
      DamageTests.options + [folder.path("out"), "--resume"])
    #expect(resumed.exitCode == 1)
    #expect(resumed.standardError.contains("journal.sqlite cannot be used"))
    #expect(resumed.standardError.split(separator: "\n").count == 1)
  }

  // MARK: Runs

  /// The digests of an undisturbed run.
  private func reference(in folder: TemporaryFolder) throws -> [String: Digest] {
    let outcome = try Programs.coordinator(DamageTests.options + [folder.path("reference")])
    #expect(outcome.exitCode == 0, "\(outcome.standardError)")
    return try Programs.digests(below: folder.path("reference"))
  }

  private func finish(_ folder: TemporaryFolder) throws {
    let outcome = try Programs.coordinator(DamageTests.options + [folder.path("out")])
    #expect(outcome.exitCode == 0, "\(outcome.standardError)")
  }

  /// A run that is killed as soon as its journal is there and something holds.
  private func interrupt(_ folder: TemporaryFolder, when holds: () throws -> Bool) throws {
    let outcome = try Programs.coordinator(DamageTests.options + [folder.path("out")]) { process in
      let journal = folder.path("out/flap/journal/journal.sqlite")
      while process.isRunning,
        try !FileManager.default.fileExists(atPath: journal) || !holds()
      {
        usleep(200)
      }
      kill(process.processIdentifier, SIGKILL)
    }
    try #require(outcome.exitCode != 0, "killed too late: \(outcome.standardError)")
  }

  private func resume(
    _ folder: TemporaryFolder, _ more: [String] = []
  ) throws -> Programs.Outcome {
    let outcome = try Programs.coordinator(
      DamageTests.options + [folder.path("out"), "--resume"] + more)
    #expect(outcome.exitCode == 0, "\(outcome.standardError)")
    #expect(!FileManager.default.fileExists(atPath: folder.path("out/flap/journal")))
    return outcome
  }

  private func shards(in folder: TemporaryFolder) throws -> [String] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path("out"))) ?? []
    return names.filter { $0.hasSuffix(".safetensors") }.sorted()
  }

  private func flip(_ path: String) throws {
    var data = try Data(contentsOf: URL(fileURLWithPath: path))
    data[data.count / 2] ^= 1
    try data.write(to: URL(fileURLWithPath: path))
  }

  private func record(in folder: TemporaryFolder) throws -> [String: Any] {
    let data = Data(try text("flap/run.json", in: folder).utf8)
    return try JSONSerialization.jsonObject(with: data) as? [String: Any] ?? [:]
  }

  private func text(_ name: String, in folder: TemporaryFolder) throws -> String {
    try String(contentsOfFile: folder.path("out/" + name), encoding: .utf8)
  }

  /// `flap/run.json` states no digest that a file has not.
  private func expectTrueRecord(in folder: TemporaryFolder) throws {
    let digests = try Programs.digests(below: folder.path("out"))
    let record = try record(in: folder)
    for list in ["shards", "records"] {
      for file in record[list] as? [[String: Any]] ?? [] {
        let name = try #require(file["file"] as? String)
        #expect(digests[name]?.hexadecimal == file["sha256"] as? String, "\(name)")
      }
    }
  }
}
