import FlapTestKit
import Foundation
import Testing

/// Bad input: one clear line, exit code ≠ 0, and nothing where the output belongs.
@Suite(.serialized)
struct BadInputTests {
  /// What is done to a copy of the bundled model, and what the message must name.
  struct Damage: CustomTestStringConvertible, Sendable {
    let testDescription: String
    let message: [String]
    let apply: @Sendable (_ model: String) throws -> Void

    init(
      _ name: String, saying message: String..., apply: @escaping @Sendable (String) throws -> Void
    ) {
      testDescription = name
      self.message = message
      self.apply = apply
    }
  }

  static let shard = "/model-00002-of-00002.safetensors"
  static let damages = [
    Damage("missing shard", saying: "model-00002", "is missing") {
      try FileManager.default.removeItem(atPath: $0 + shard)
    },
    Damage("truncated shard", saying: "model-00002", "truncated") {
      let file = try #require(FileHandle(forWritingAtPath: $0 + shard))
      try file.truncate(atOffset: 400_000)
    },
    Damage("a header that lies", saying: "model-00002", "header of") {
      let file = try #require(FileHandle(forWritingAtPath: $0 + shard))
      try file.write(contentsOf: Data([255, 255, 255, 0, 0, 0, 0, 0]))
    },
    Damage("index naming a missing tensor", saying: "does not hold", "lm_head") {
      try edit($0 + "/model.safetensors.index.json") {
        $0.replacing(
          "\"lm_head.weight\": \"model-00002", with: "\"lm_head.weight\": \"model-00001")
      }
    },
    Damage("wrong shapes", saying: "has the shape", "config.json asks for") {
      try edit($0 + "/config.json") {
        $0.replacing("\"intermediate_size\": ", with: "\"intermediate_size\": 1")
      }
    },
    Damage("a tensor that config.json asks for", saying: "has no tensor model.layers.6") {
      try edit($0 + "/config.json") {
        $0.replacing("\"num_hidden_layers\": 6", with: "\"num_hidden_layers\": 7")
      }
    },
    Damage("unknown architecture", saying: "model_type", "mamba", "supported are llama") {
      try edit($0 + "/config.json") {
        $0.replacing("\"model_type\": \"llama\"", with: "\"model_type\": \"mamba\"")
      }
    },
    Damage("no configuration", saying: "cannot", "config.json") {
      try FileManager.default.removeItem(atPath: $0 + "/config.json")
    },
    Damage("token ids outside the vocabulary", saying: "token id 70000", "sample 0, position 3") {
      let file = try #require(FileHandle(forWritingAtPath: $0 + "/calibration.npy"))
      try file.seek(toOffset: 128 + 12)
      try file.write(contentsOf: withUnsafeBytes(of: Int32(70000)) { Data($0) })
    },
    Damage("weights that are not numbers", saying: "layer ", "_proj is not finite", "sample 0") {
      let file = try #require(FileHandle(forWritingAtPath: $0 + shard))
      // In the middle of the layers; bf16 NaNs.
      try file.seek(toOffset: 600_000)
      try file.write(contentsOf: Data(repeating: 0xFF, count: 4096))
    },
    Damage("no token ids", saying: "calibration.npy", "no .npy") {
      try Data("text".utf8).write(to: URL(fileURLWithPath: $0 + "/calibration.npy"))
    },
  ]

  @Test("damaged input", arguments: damages)
  func damaged(damage: Damage) throws {
    let folder = try TemporaryFolder()
    let model = try folder.copyModel()
    try damage.apply(model)
    try refuse(
      [
        "--model", model, "--calibration", model + "/calibration.npy", "--ratio", "0.2",
        "--output", folder.path("out"),
      ], output: folder.path("out"), saying: damage.message)
  }

  @Test(
    "options out of range",
    arguments: [
      (["--ratio", "1"], "--ratio 1.0"), (["--ratio", "-0.1"], "--ratio"),
      (["--ratio", "0.999"], "give at most 0.9312"),
      (["--ratio", "0.2", "--metric", "X"], "choose one of"),
      (["--ratio", "0.2", "--structure", "AL-MM"], "needs --groups-removed"),
      (["--ratio", "0.2", "--samples", "9999"], "has 256 samples"),
      (["--ratio", "0.2", "--max-shard-size", "4 cats"], "--max-shard-size"),
      (["--ratio", "0.2", "--worker-program", "/nonexistent"], "cannot start /nonexistent"),
    ])
  func options(arguments: [String], message: String) throws {
    let folder = try TemporaryFolder()
    let rest = [
      "--model", Programs.model, "--calibration", Programs.calibration,
      "--output=" + folder.path("out"),
    ]
    let joined = stride(from: 0, to: arguments.count, by: 2).map {
      arguments[$0] + "=" + arguments[$0 + 1]
    }
    try refuse(joined + rest, output: folder.path("out"), saying: [message])
  }

  @Test("an output folder that is not empty keeps what it has")
  func notEmpty() throws {
    let folder = try TemporaryFolder()
    let output = folder.path("out")
    try FileManager.default.createDirectory(atPath: output, withIntermediateDirectories: true)
    try Data("mine".utf8).write(to: URL(fileURLWithPath: output + "/file"))
    let outcome = try prune(into: output)
    #expect(outcome.exitCode != 0)
    #expect(outcome.standardError.contains("is not empty"))
    #expect(try FileManager.default.contentsOfDirectory(atPath: output) == ["file"])
  }

  @Test("an output that cannot be a folder")
  func notWritable() throws {
    let folder = try TemporaryFolder()
    try Data().write(to: URL(fileURLWithPath: folder.path("file")))
    let file = try prune(into: folder.path("file"))
    #expect(file.exitCode != 0)
    #expect(file.standardError.contains("is a file where a folder belongs"))
    // Not even the super-user may write there.
    let system = try prune(into: "/proc/flap-output")
    #expect(system.exitCode != 0)
    #expect(system.standardError.contains("cannot write into"))
  }

  @Test("a full disk ends the run, and --resume goes on when there is space")
  func fullDisk() throws {
    // A file system of its own needs the right to mount one.
    let folder = try TemporaryFolder()
    let disk = folder.path("disk")
    try FileManager.default.createDirectory(atPath: disk, withIntermediateDirectories: true)
    guard mount("tmpfs", disk, "tmpfs", 0, "size=1m") == 0 else {
      print("skipped: mounting a small file system needs more rights")
      return
    }
    defer { umount(disk) }
    let outcome = try prune(into: disk + "/out")
    #expect(outcome.exitCode != 0)
    #expect(outcome.standardError.contains("the disk is full while writing"))
    #expect(outcome.standardError.contains("continue with --resume"))
    #expect(!FileManager.default.fileExists(atPath: disk + "/out/config.json"))
    #expect(mount("tmpfs", disk, "tmpfs", UInt(MS_REMOUNT), "size=16m") == 0)
    let resumed = try prune(into: disk + "/out", ["--resume"])
    #expect(resumed.exitCode == 0, "\(resumed.standardError)")
  }

  @Test("two runs into one folder: one of them wins, the other says why it cannot")
  func twoRuns() throws {
    let folder = try TemporaryFolder()
    let output = folder.path("out")
    var second: Programs.Outcome?
    let first = try Programs.coordinator(arguments(output) + ["--compute", "f32"]) { _ in
      for _ in 0..<500 where !FileManager.default.fileExists(atPath: output + "/.flap-lock") {
        usleep(2000)
      }
      second = try prune(into: output)
    }
    #expect(first.exitCode == 0, "\(first.standardError)")
    #expect(second?.exitCode != 0)
    #expect(second?.standardError.contains("another run is writing into") == true)
    #expect(FileManager.default.fileExists(atPath: output + "/config.json"))
  }

  @Test("statistics of another model are refused")
  func otherModel() throws {
    let folder = try TemporaryFolder()
    let model = try folder.copyModel()
    let statistics = folder.path("statistics.safetensors")
    let calibrated = try Programs.coordinator([
      "calibrate", "--model", model, "--calibration", Programs.calibration, "--samples", "16",
      "--output", statistics,
    ])
    #expect(calibrated.exitCode == 0)
    let searched = try Programs.coordinator([
      "search", "--statistics", statistics, "--ratio", "0.2", "--output", folder.path("plan"),
    ])
    #expect(searched.exitCode == 0)
    let file = try #require(FileHandle(forWritingAtPath: model + BadInputTests.shard))
    try file.seek(toOffset: try file.seekToEnd() - 64)
    try file.write(contentsOf: Data(repeating: 1, count: 64))
    try refuse(
      [
        "write", "--model", model, "--statistics", statistics, "--plan", folder.path("plan"),
        "--output", folder.path("out"),
      ], output: folder.path("out"), saying: ["made for another model"])
  }

  // MARK: Helpers

  private func arguments(_ output: String) -> [String] {
    [
      "--model", Programs.model, "--calibration", Programs.calibration, "--ratio", "0.2",
      "--output", output,
    ]
  }

  private func prune(into output: String, _ more: [String] = []) throws -> Programs.Outcome {
    try Programs.coordinator(arguments(output) + more)
  }

  private func refuse(_ arguments: [String], output: String, saying parts: [String]) throws {
    let outcome = try Programs.coordinator(arguments)
    #expect(outcome.exitCode != 0)
    #expect(outcome.standardOutput.isEmpty)
    let lines = outcome.standardError.split(separator: "\n")
    let line = lines.first { $0.hasPrefix("Error: ") } ?? ""
    for part in parts { #expect(line.contains(part), "\(outcome.standardError)") }
    #expect(!FileManager.default.fileExists(atPath: output))
  }

  private static func edit(_ path: String, _ change: (String) -> String) throws {
    let text = try String(contentsOfFile: path, encoding: .utf8)
    let changed = change(text)
    try #require(changed != text, "the damage changes the file")
    try changed.write(toFile: path, atomically: true, encoding: .utf8)
  }
}
