import FlapCore
import FlapTestKit
import Foundation
import Testing

/// `--sequential` on real processes: maps that are fitted one after the other, each on what the pruned
/// model brings to it.
@Suite(.serialized)
struct SequentialRunTests {
  /// 16 leaves of four samples.
  static let options = [
    "--ratio", "0.5", "--samples", "64", "--tokens-per-leaf", "512", "--compute", "f32",
    "--compensation", "least-squares",
  ]
  static let small = ["--local-workers", "3", "--threads", "1", "--leaves-per-unit", "1"]

  @Test("one worker or three, large tasks or small, killed or not: the same bits, a better model")
  func sameBits() throws {
    let folder = try TemporaryFolder()
    let expected = try prune(
      folder, "one", ["--local-workers", "1", "--threads", "2", "--leaves-per-unit", "8"])
    let fileCount = expected.count
    #expect(fileCount > 2)

    var killedCount = 0
    let killed = try prune(folder, "killed", SequentialRunTests.small) { process in
      for count in [1, 4, 7] {
        waitForMaps(count, in: folder.path("killed"), of: process)
        if let worker = Programs.children(of: process.processIdentifier).first {
          killedCount += kill(worker, SIGKILL) == 0 ? 1 : 0
        }
      }
    }
    #expect(killed == expected)
    #expect(killedCount > 1, "workers do die while maps are fitted")

    let plain = folder.path("plain")
    let outcome = try Programs.coordinator(
      run(plain) + ["--no-sequential", "--local-workers", "2", "--quiet"])
    try #require(outcome.exitCode == 0, "\(outcome.standardError)")
    #expect(try Programs.digests(below: plain) != expected)
    let perplexities = try [folder.path("one"), plain].map { model in
      let outcome = try Programs.coordinator([
        "eval", "--model", model, "--data", Programs.model + "/test.npy", "--samples", "64",
        "--quiet", "--json",
      ])
      return try #require(outcome.json["perplexity"] as? Double)
    }
    // 3.29 after 3.63, fitted to 8192 tokens.
    #expect(perplexities[0] < 0.95 * perplexities[1])
  }

  @Test("a coordinator that is killed while maps are fitted goes on behind the last")
  func resumed() throws {
    let folder = try TemporaryFolder()
    let expected = try prune(folder, "whole", ["--local-workers", "2"])
    let output = folder.path("resumed")
    let arguments = run(output) + ["--sequential"] + SequentialRunTests.small
    let killed = try Programs.coordinator(arguments + ["--quiet"]) { process in
      waitForMaps(4, in: output, of: process)
      kill(process.processIdentifier, SIGKILL)
    }
    #expect(killed.exitCode != 0)
    let doneCount = mapCount(in: output)
    #expect(doneCount >= 4)
    // Those before the last that was summed are fitted; whoever has them reads no sums.
    for map in ["0-mlp.down_proj", "1-self_attn.o_proj"] {
      try damage("\(output)/flap/sequential/\(map).safetensors", last: 1 << 10)
    }
    // A damaged one is fitted again.
    try damage("\(output)/flap/sequential/fitted/1-mlp.down_proj.safetensors", last: 1)
    let again = try Programs.coordinator(arguments + ["--resume"])
    #expect(again.exitCode == 0, "\(again.standardError)")
    // Of six layers' twelve maps.
    let told = again.standardError.firstMatch(of: /refitting: ([0-9]+) maps in/)
    let refitted = try #require(told.flatMap { Int($0.1) })
    #expect(refitted > 0 && refitted <= 12 - doneCount)
    #expect(try Programs.digests(below: output) == expected)
    let maps = try Self.maps(folder.path("whole"))
    // All from the first on that loses a channel, to the last.
    #expect(maps.first?.hasPrefix("0 mlp.down_proj ") == true && maps.count == 11)
    #expect(try Self.maps(output) == maps, "ridges, too")
    for name in ["sequential", "ridges"] {
      #expect(!FileManager.default.fileExists(atPath: output + "/flap/" + name))
    }
    #expect(!FileManager.default.fileExists(atPath: output + "/flap/journal"))
  }

  @Test("what a worker has fitted serves the shards: its sums are read once")
  func fittedOnce() throws {
    let folder = try TemporaryFolder()
    let expected = try prune(folder, "whole", ["--local-workers", "1"])
    let output = folder.path("without")
    let names = ["0-mlp.down_proj", "1-self_attn.o_proj", "1-mlp.down_proj"]
    var removedCount = 0
    let without = try prune(folder, "without", ["--local-workers", "1"]) { process in
      // Some maps behind, all samples have passed these.
      waitForMaps(5, in: output, of: process)
      for name in names {
        for path in ["", "fitted/"] {
          let file = "\(output)/flap/sequential/\(path)\(name).safetensors"
          removedCount += unlink(file) == 0 ? 1 : 0
        }
      }
    }
    #expect(without == expected)
    #expect(removedCount == 6)
  }

  /// What `flap/run.json` says of the maps: "0 self_attn.o_proj 0.001 false".
  static func maps(_ output: String) throws -> [String] {
    let data = try Data(contentsOf: URL(fileURLWithPath: output + "/flap/run.json"))
    let run = try JSONSerialization.jsonObject(with: data) as? [String: Any]
    return try #require(run?["maps"] as? [[String: Any]]).map { map in
      let name = try "\(#require(map["layer"] as? Int)) \(#require(map["map"] as? String))"
      let isRaised = (try #require(map["is_raised"] as? NSNumber)).boolValue
      return try "\(name) \(#require(map["ridge"] as? Double)) \(isRaised)"
    }
  }

  @Test("without least squares it is one line")
  func refused() throws {
    let folder = try TemporaryFolder()
    for arguments in [["--compensation", "bias"], ["--compensation", "none"], []] {
      let outcome = try Programs.coordinator(
        [
          "--model", Programs.model, "--calibration", Programs.calibration, "--output",
          folder.path("none"), "--ratio", "0.5", "--sequential", "--local-workers", "1",
        ] + arguments)
      #expect(outcome.exitCode != 0)
      let lines = outcome.standardError.split(separator: "\n")
      #expect(
        lines.count { $0.contains("--sequential goes with --compensation least-squares") } == 1)
      #expect(lines.count == 1, "\(outcome.standardError)")
      #expect(!FileManager.default.fileExists(atPath: folder.path("none")))
    }
  }

  // MARK: Helpers

  private func run(_ output: String) -> [String] {
    ["--model", Programs.model, "--calibration", Programs.calibration, "--output", output]
      + SequentialRunTests.options
  }

  private func prune(
    _ folder: TemporaryFolder, _ name: String, _ arguments: [String],
    whileRunning: (Process) throws -> Void = { _ in }
  ) throws -> [String: Digest] {
    let output = folder.path(name)
    let outcome = try Programs.coordinator(
      run(output) + ["--sequential", "--quiet"] + arguments, whileRunning: whileRunning)
    try #require(outcome.exitCode == 0, "\(outcome.standardError)")
    #expect(!FileManager.default.fileExists(atPath: output + "/flap/sequential"))
    return try Programs.digests(below: output)
  }

  /// Maps whose sums stand in their files.
  private func mapCount(in output: String) -> Int {
    let names = try? FileManager.default.contentsOfDirectory(atPath: output + "/flap/sequential")
    return (names ?? []).count { $0.hasSuffix(".safetensors") }
  }

  /// Its last bytes become others.
  private func damage(_ path: String, last count: Int) throws {
    let file = try #require(FileHandle(forUpdatingAtPath: path))
    let end = try file.seekToEnd()
    try file.seek(toOffset: end - UInt64(count))
    let bytes = try #require(try file.readToEnd())
    try file.seek(toOffset: end - UInt64(count))
    try file.write(contentsOf: Data(bytes.map { $0 ^ 0x55 }))
    try file.close()
  }

  private func waitForMaps(_ count: Int, in output: String, of process: Process) {
    while process.isRunning, mapCount(in: output) < count { usleep(2000) }
  }
}
