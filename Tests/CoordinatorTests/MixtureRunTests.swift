import FlapCore
import FlapTestKit
import Foundation
import Testing

/// A mixture of experts on real processes.
@Suite(.serialized)
struct MixtureRunTests {
  private let folder: TemporaryFolder
  private let data: String

  init() throws {
    folder = try TemporaryFolder()
    var generator = SeededGenerator(seed: 4)
    let (rows, width) = (96, 24)
    let header =
      "{'descr': '<i4', 'fortran_order': False, 'shape': (\(rows), \(width)), }"
    let padding = String(repeating: " ", count: 117 - header.utf8.count) + "\n"
    var bytes: [UInt8] = [0x93] + Array("NUMPY".utf8) + [1, 0, 118, 0]
    bytes += Array((header + padding).utf8)
    for _ in 0..<rows * width {
      withUnsafeBytes(of: Int32.random(in: 0..<90, using: &generator).littleEndian) { bytes += $0 }
    }
    data = try folder.write(bytes, to: "tokens.npy")
  }

  /// One of the models that transformers made (`make_golden.py`).
  private static func model(_ name: String) -> String {
    Programs.repository.appending(path: "Tests/TransformerTests/Golden/\(name)").path
  }

  private func run(_ output: String, model: String = "qwen3-moe-bf16") -> [String] {
    [
      "--model", MixtureRunTests.model(model), "--calibration", data, "--output", output,
      "--tokens-per-leaf", "96", "--experts-ratio", "0.25", "--quiet", "--json",
    ]
  }

  private func prune(
    _ name: String, _ arguments: [String], model: String = "qwen3-moe-bf16",
    whileRunning: (Process) throws -> Void = { _ in }
  ) throws -> [String: Digest] {
    let output = folder.path(name)
    let outcome = try Programs.coordinator(
      run(output, model: model) + arguments, whileRunning: whileRunning)
    try #require(outcome.exitCode == 0, "\(outcome.standardError)")
    return try Programs.digests(below: output)
  }

  @Test(
    "one worker, two or five, small tasks or large, killed or not: the same bits",
    arguments: ["qwen3-moe-bf16", "qwen3-moe-dense-f32", "mixtral-f32"])
  func sameBits(model: String) throws {
    let expected = try prune("one", ["--local-workers", "1", "--threads", "2"], model: model)
    #expect(expected.keys.contains("model.safetensors"))
    let small = ["--threads", "1", "--leaves-per-unit", "1"]
    #expect(try prune("two", ["--local-workers", "2"] + small, model: model) == expected)
    #expect(try prune("five", ["--local-workers", "5"] + small, model: model) == expected)
    let killed = try prune("killed", ["--local-workers", "3"] + small, model: model) { process in
      for _ in 0..<5 {
        usleep(60_000)
        if let worker = Programs.children(of: process.processIdentifier).first {
          kill(worker, SIGKILL)
        }
      }
    }
    #expect(killed == expected)
  }

  @Test("step by step, and by evaluating a plan, the same")
  func stepByStep() throws {
    let expected = try prune("whole", ["--local-workers", "2"])
    let model = MixtureRunTests.model("qwen3-moe-bf16")
    let (statistics, plan) = (folder.path("s.safetensors"), folder.path("plan.safetensors"))
    let written = folder.path("written")
    for command in [
      [
        "calibrate", "--model", model, "--calibration", data, "--tokens-per-leaf", "96", "--output",
        statistics,
      ],
      ["search", "--statistics", statistics, "--experts-ratio", "0.25", "--output", plan],
      ["write", "--model", model, "--plan", plan, "--output", written],
    ] {
      let outcome = try Programs.coordinator(command + ["--quiet"])
      try #require(outcome.exitCode == 0, "\(outcome.standardError)")
    }
    let weights = expected.filter { $0.key.hasPrefix("model") || $0.key == "config.json" }
    let found = try Programs.digests(below: written)
    #expect(found.filter { $0.key.hasPrefix("model") || $0.key == "config.json" } == weights)
    let plans = try Programs.coordinator([
      "eval", "--model", model, "--data", data, "--plan", plan, "--quiet", "--json",
    ])
    let alone = try Programs.coordinator([
      "eval", "--model", written, "--data", data, "--quiet", "--json",
    ])
    let perplexity = try #require(alone.json["perplexity"] as? Double)
    let candidates = try #require(plans.json["plans"] as? [[String: Any]])
    #expect(candidates[0]["perplexity"] as? Double == perplexity)
  }

  @Test(
    "means in the places of experts: the same bits from any workers, step by step, and evaluated",
    arguments: ["qwen3-moe-bf16", "mixtral-f32"])
  func replaced(name: String) throws {
    let replaces = ["--replace-experts", "--threads", "1", "--leaves-per-unit", "1"]
    let expected = try prune("one", ["--local-workers", "1"] + replaces, model: name)
    #expect(try prune("two", ["--local-workers", "2"] + replaces, model: name) == expected)
    #expect(try prune("five", ["--local-workers", "5"] + replaces, model: name) == expected)
    let killed = try prune("killed", ["--local-workers", "3"] + replaces, model: name) { process in
      for _ in 0..<5 {
        usleep(60_000)
        if let worker = Programs.children(of: process.processIdentifier).first {
          kill(worker, SIGKILL)
        }
      }
    }
    #expect(killed == expected)

    let model = MixtureRunTests.model(name)
    let (statistics, plan) = (folder.path("s.safetensors"), folder.path("plan.safetensors"))
    let written = folder.path("written")
    for command in [
      [
        "calibrate", "--replace-experts", "--model", model, "--calibration", data,
        "--tokens-per-leaf", "96", "--output", statistics,
      ],
      [
        "search", "--statistics", statistics, "--experts-ratio", "0.25", "--replace-experts",
        "--output", plan,
      ],
      ["write", "--model", model, "--plan", plan, "--statistics", statistics, "--output", written],
    ] {
      let outcome = try Programs.coordinator(command + ["--quiet"])
      try #require(outcome.exitCode == 0, "\(outcome.standardError)")
    }
    let isResult = { (file: String) in file.hasPrefix("model") || file == "config.json" }
    #expect(
      try Programs.digests(below: written).filter { isResult($0.key) }
        == expected.filter { isResult($0.key) })
    let plans = try Programs.coordinator([
      "eval", "--model", model, "--data", data, "--plan", plan, "--statistics", statistics,
      "--quiet", "--json",
    ])
    let alone = try Programs.coordinator([
      "eval", "--model", written, "--data", data, "--quiet", "--json",
    ])
    let candidates = try #require(plans.json["plans"] as? [[String: Any]])
    #expect(
      candidates[0]["perplexity"] as? Double
        == (try #require(alone.json["perplexity"] as? Double)))
    let lacking = try Programs.coordinator([
      "write", "--model", model, "--plan", plan, "--output", folder.path("none"),
    ])
    #expect(lacking.exitCode != 0 && lacking.standardError.contains("needs --statistics"))
  }

  private static let sharing = [
    "--structure", "AL-AM", "--ratio", "0.35", "--experts-ratio", "0.125", "--attention-ratio",
    "0.4",
  ]
  private static let best = ["--method", "best", "--ratio", "0.35"]

  private func command(_ model: String, _ output: String, _ arguments: [String]) -> [String] {
    [
      "--model", model, "--calibration", data, "--output", folder.path(output),
      "--tokens-per-leaf", "96", "--quiet", "--json",
    ] + arguments
  }

  private func digests(
    _ model: String, _ output: String, _ arguments: [String],
    whileRunning: (Process) throws -> Void = { _ in }
  ) throws -> [String: Digest] {
    let outcome = try Programs.coordinator(
      command(model, output, arguments), whileRunning: whileRunning)
    try #require(outcome.exitCode == 0, "\(outcome.standardError)")
    return try Programs.digests(below: folder.path(output))
  }

  @Test(
    "heads, neurons and experts: the same bits from any workers, killed or not",
    arguments: ["qwen3-moe-bf16", "qwen3-moe-dense-f32", "mixtral-f32"],
    [MixtureRunTests.sharing, MixtureRunTests.best])
  func heads(name: String, arguments: [String]) throws {
    let model = MixtureRunTests.model(name)
    let expected = try digests(
      model, "one", arguments + ["--local-workers", "1", "--threads", "2"])
    #expect(FileManager.default.fileExists(atPath: folder.path("one/modeling_flap.py")))
    let small = arguments + ["--threads", "1", "--leaves-per-unit", "1"]
    #expect(try digests(model, "two", small + ["--local-workers", "2"]) == expected)
    #expect(try digests(model, "five", small + ["--local-workers", "5"]) == expected)
    let killed = try digests(model, "killed", small + ["--local-workers", "3"]) { process in
      for _ in 0..<5 {
        usleep(60_000)
        if let worker = Programs.children(of: process.processIdentifier).first {
          kill(worker, SIGKILL)
        }
      }
    }
    #expect(killed == expected)
  }

  @Test(
    "the same step by step, and evaluated from the statistics",
    arguments: ["qwen3-moe-bf16", "qwen3-moe-dense-f32"],
    [MixtureRunTests.sharing, MixtureRunTests.best])
  func headsStepByStep(name: String, arguments: [String]) throws {
    let model = MixtureRunTests.model(name)
    let expected = try digests(model, "whole", arguments)
    let isBest = arguments == MixtureRunTests.best
    let (statistics, plan) = (folder.path("s.safetensors"), folder.path("plan.safetensors"))
    let sums = isBest ? ["--second-moments", folder.path("s-second-moments")] : []
    for command in [
      ["calibrate", "--model", model, "--calibration", data, "--tokens-per-leaf", "96"]
        + ["--output", statistics, isBest ? "--method=best" : "--expert-neurons"],
      ["search", "--statistics", statistics, "--output", plan] + arguments,
      ["write", "--model", model, "--plan", plan, "--statistics", statistics]
        + ["--output", folder.path("written")] + sums,
    ] {
      let outcome = try Programs.coordinator(command + ["--quiet"])
      try #require(outcome.exitCode == 0, "\(outcome.standardError)")
    }
    let isResult = { (file: String) in file.hasPrefix("model") || file == "config.json" }
    #expect(
      try Programs.digests(below: folder.path("written")).filter { isResult($0.key) }
        == expected.filter { isResult($0.key) })
    let plans = try Programs.coordinator(
      ["eval", "--model", model, "--data", data, "--statistics", statistics, "--quiet", "--json"]
        + arguments + sums)
    try #require(plans.exitCode == 0, "\(plans.standardError)")
    let alone = try Programs.coordinator([
      "eval", "--model", folder.path("written"), "--data", data, "--quiet", "--json",
    ])
    let candidates = try #require(plans.json["plans"] as? [[String: Any]])
    #expect(
      candidates[0]["perplexity"] as? Double
        == (try #require(alone.json["perplexity"] as? Double)))
  }

  @Test("statistics without what experts are pruned by say how to measure it")
  func lacking() throws {
    let (statistics, model) = (folder.path("s.safetensors"), MixtureRunTests.model("mixtral-f32"))
    let calibrated = try Programs.coordinator([
      "calibrate", "--model", model, "--calibration", data, "--output", statistics, "--quiet",
    ])
    try #require(calibrated.exitCode == 0, "\(calibrated.standardError)")
    for (arguments, advice) in [
      (["--structure", "AL-AM"], "--expert-neurons"), (["--method", "best"], "--method best"),
    ] {
      let outcome = try Programs.coordinator(
        ["search", "--statistics", statistics, "--ratio", "0.3"] + arguments)
      #expect(outcome.exitCode != 0 && outcome.standardError.contains(advice))
    }
    let dense = try Programs.coordinator([
      "calibrate", "--model", Programs.model, "--calibration", Programs.calibration,
      "--expert-neurons", "--output", folder.path("none"),
    ])
    #expect(
      dense.exitCode != 0 && dense.standardError.contains("leave out --expert-neurons"))
  }

  @Test("what experts cannot do is one line")
  func refused() throws {
    for (arguments, message) in [
      (["--ratio", "0.2"], "leave out it or --ratio"), (["--method", "best"], "give both"),
      (["--method", "best", "--ratio", "0.4", "--uniform"], "leave out --uniform"),
      (["--method", "best", "--ratio", "0.4", "--sequential"], "leave it out"),
      (["--structure", "experts", "--metric", "WIFV"], "--metric WIFV does not choose"),
      (["--structure", "UL-UM"], "give both"), (["--metric", "WIFV"], "give both"),
      (["--structure", "UL-UM", "--metric", "REAP"], "goes with --structure experts"),
      (["--structure", "AL-AM", "--ratio", "0.05"], "already 0.19"),
      (["--structure", "AL-AM", "--ratio", "0.99"], "cannot be reached"),
      (["--structure", "UL-MM", "--ratio", "0.3", "--groups-removed", "2"], "is not for models"),
      (["--structure", "AL-AM", "--ratio", "0.3", "--exclude-layers", "0"], "is not for models"),
      (["--structure", "AL-AM", "--ratio", "0.3", "--published-cut"], "is not for models"),
      (["--compensation", "least-squares"], "experts that go have no channels"),
      (["--replace-experts", "--uniform"], "leave out it or --uniform"),
      (["--replace-experts", "--format", "gguf"], "--format gguf has no place"),
      (["--published-cut"], "does not choose"),
      (["--experts-seed", "3"], "goes with --metric random"),
      (["--exclude-layers", "0"], "does not choose"), (["--round-to", "8"], "does not choose"),
    ] {
      let outcome = try Programs.coordinator(run(folder.path("none")) + arguments)
      #expect(outcome.exitCode != 0)
      #expect(outcome.standardError.contains(message), "\(outcome.standardError)")
    }
    let dense = try Programs.coordinator([
      "--model", Programs.model, "--calibration", Programs.calibration, "--experts-ratio", "0.5",
      "--output", folder.path("none"),
    ])
    #expect(dense.exitCode != 0 && dense.standardError.contains("the model has no experts"))
  }
}
