import FlapTestKit
import Foundation
import Testing

/// Several ratios and plans in one go, and plans whose counts obey rules.
@Suite(.serialized)
struct SweepTests {
  private let folder: TemporaryFolder
  private let statistics: String
  private let test = Programs.model + "/test.npy"

  init() throws {
    folder = try TemporaryFolder()
    statistics = folder.path("statistics.safetensors")
    try succeed(
      "calibrate", "--model", Programs.model, "--calibration", Programs.calibration, "--samples",
      "48", "--output", statistics)
  }

  @Test("no command overwrites what it reads, by whatever name")
  func inputs() throws {
    let calibration = folder.path("calibration.npy")
    let link = folder.path("link.npy")
    try FileManager.default.copyItem(atPath: Programs.calibration, toPath: calibration)
    try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: calibration)
    let model = folder.path("model")
    try FileManager.default.copyItem(atPath: Programs.model, toPath: model)
    let shard = model + "/model-00001-of-00002.safetensors"
    let commands: [([String], kept: String)] = [
      (
        ["search", "--statistics", statistics, "--ratio", "0.2", "--output", statistics], statistics
      ),
      (
        ["calibrate", "--model", model, "--calibration", calibration, "--output", link], calibration
      ),
      (["calibrate", "--model", model, "--calibration", calibration, "--output", shard], shard),
      (["export", "--model", model, "--output", shard], shard),
    ]
    for (command, kept) in commands {
      let before = try Data(contentsOf: URL(fileURLWithPath: kept))
      let outcome = try Programs.coordinator(command)
      #expect(outcome.exitCode != 0)
      #expect(outcome.standardError.contains("what this command reads"), "\(outcome.standardError)")
      #expect(try Data(contentsOf: URL(fileURLWithPath: kept)) == before)
    }
    // A model's folder is where its GGUF file belongs.
    try succeed("export", "--model", model, "--output", model + "/model.gguf")
    try succeed("export", "--model", model, "--output", model + "/model.gguf")
  }

  @Test("options that would do nothing are refused")
  func idle() throws {
    for (command, message) in [
      (["eval", "--model", Programs.model, "--data", test, "--uniform"], "need --ratio"),
      (
        [
          "--model", Programs.model, "--calibration", Programs.calibration, "--metric",
          "magnitude", "--ratio", "0.2", "--output", folder.path("out"),
        ], "reads no data"
      ),
    ] {
      let outcome = try Programs.coordinator(command)
      #expect(outcome.exitCode != 0)
      #expect(outcome.standardError.contains(message), "\(outcome.standardError)")
    }
  }

  @Test("search: several ratios give the plans and figures of each alone")
  func search() throws {
    let sweep = try succeed(
      "search", "--statistics", statistics, "--ratio", "0.1,0.2,0.5", "--output",
      folder.path("plan.safetensors"))
    let plans = try #require(sweep["plans"] as? [[String: Any]])
    #expect(plans.map { $0["ratio_asked"] as? Double } == [0.1, 0.2, 0.5])
    let dense = try #require(sweep["dense"] as? [String: Any])
    var last = try #require(dense["flops_per_token"] as? Int)
    // 6 · 128 · (4 · 96 + 3 · 352) weights of the layers and 512 · 128 of the output projection.
    #expect(last == 2 * (6 * 128 * (4 * 96 + 3 * 352) + 512 * 128))
    for (ratio, plan) in zip(["0.1", "0.2", "0.5"], plans) {
      let alone = try succeed(
        "search", "--statistics", statistics, "--ratio", ratio, "--output",
        folder.path("alone.safetensors"))
      for key in ["kept_groups", "kept_neurons"] {
        #expect(plan[key] as? [Int] == alone[key] as? [Int])
      }
      #expect(plan["parameters"] as? Int == alone["parameters_pruned"] as? Int)
      #expect(
        FileManager.default.contentsEqual(
          atPath: folder.path("plan-\(ratio).safetensors"),
          andPath: folder.path("alone.safetensors")))
      let operations = try #require(plan["flops_per_token"] as? Int)
      #expect(operations < last)
      last = operations
    }
    #expect(!FileManager.default.fileExists(atPath: folder.path("plan.safetensors")))
  }

  @Test(
    "eval of plans is eval of the checkpoints that they give, bit for bit, by any workers",
    arguments: ["bf16", "f32"], ["bias", "none"])
  func evaluation(compute: String, compensation: String) throws {
    try succeed(
      "search", "--statistics", statistics, "--ratio", "0.2,0.5", "--output",
      folder.path("plan.safetensors"))
    let plans = ["0.2", "0.5"].map { folder.path("plan-\($0).safetensors") }
    let shared = ["--data", test, "--samples", "24", "--compute", compute]
    let arguments =
      [
        "eval", "--model", Programs.model, "--statistics", statistics, "--compensation",
        compensation,
      ] + shared
    let one = try succeed(
      arguments + ["--plan", plans[0], "--plan", plans[1], "--local-workers", "1"])
    let byRatio = try succeed(
      arguments + [
        "--ratio", "0.2,0.5", "--local-workers", "3", "--threads", "1", "--leaves-per-unit", "1",
      ])
    let tried = try perplexities(one)
    #expect(try perplexities(byRatio) == tried)
    #expect(one["perplexity"] as? Double == byRatio["perplexity"] as? Double)
    for (plan, perplexity) in zip(plans, tried) {
      let written = folder.path("written")
      try? FileManager.default.removeItem(atPath: written)
      try succeed(
        "write", "--model", Programs.model, "--plan", plan, "--statistics", statistics,
        "--compensation", compensation, "--output", written)
      let evaluated = try succeed(["eval", "--model", written] + shared)
      #expect(evaluated["perplexity"] as? Double == perplexity)
    }
    #expect(tried[0] < tried[1])
  }

  @Test(
    "--uniform: the model's own class, no remote code, the same numbers",
    arguments: [["--uniform"], ["--uniform", "--round-to", "32", "--tensor-parallel", "2"]])
  func uniform(options: [String]) throws {
    let output = folder.path("uniform")
    let result = try succeed(
      [
        "--model", Programs.model, "--calibration", Programs.calibration, "--samples", "48",
        "--ratio", "0.3", "--output", output,
      ] + options)
    let search = try #require(result["search"] as? [String: Any])
    // Half a step: 6 layers of 32 neurons are 6.7 % of the decoder parameters.
    #expect(abs(try #require(search["ratio_reached"] as? Double) - 0.3) < 0.034)
    let json = try Data(contentsOf: URL(fileURLWithPath: output + "/config.json"))
    let config = try #require(try JSONSerialization.jsonObject(with: json) as? [String: Any])
    #expect(config["model_type"] as? String == "llama")
    #expect(config["architectures"] as? [String] == ["LlamaForCausalLM"])
    #expect(config["auto_map"] == nil && config["per_layer_config"] == nil)
    #expect(config["attention_bias"] as? Bool == true && config["mlp_bias"] as? Bool == true)
    #expect(config["head_dim"] as? Int == 16)
    let heads = try #require(config["num_attention_heads"] as? Int)
    #expect(128 % heads == 0)
    if options.count > 1 {
      #expect(try #require(config["num_key_value_heads"] as? Int) % 2 == 0)
      #expect(try #require(config["intermediate_size"] as? Int) % 32 == 0)
    }
    #expect(
      try FileManager.default.contentsOfDirectory(atPath: output).allSatisfy {
        !$0.hasSuffix(".py")
      })
    let shared = ["--data", test, "--samples", "24"]
    let written = try succeed(["eval", "--model", output] + shared)
    let tried = try succeed(
      [
        "eval", "--model", Programs.model, "--statistics",
        output + "/flap/statistics.safetensors", "--plan", output + "/flap/plan.safetensors",
      ] + shared)
    #expect(try perplexities(tried) == [try #require(written["perplexity"] as? Double)])
    // The plan says how it is to be written.
    try succeed(
      "write", "--model", Programs.model, "--statistics",
      output + "/flap/statistics.safetensors", "--plan", output + "/flap/plan.safetensors",
      "--output", folder.path("again"))
    for file in ["config.json", "model.safetensors"] {
      #expect(
        FileManager.default.contentsEqual(
          atPath: output + "/" + file, andPath: folder.path("again/" + file)))
    }
  }

  @Test("--uniform of a class without biases: no card claims any, by one command or step by step")
  func cardOfUniformMistral() throws {
    let model = try mistral()
    let output = folder.path("uniform")
    try succeed(
      "--model", model, "--calibration", Programs.calibration, "--samples", "48", "--ratio", "0.3",
      "--uniform", "--output", output)
    try succeed(
      "write", "--model", model, "--statistics", output + "/flap/statistics.safetensors", "--plan",
      output + "/flap/plan.safetensors", "--output", folder.path("written"))
    for folder in [output, folder.path("written")] {
      let names = try FileManager.default.contentsOfDirectory(atPath: folder)
      #expect(names.contains("model.safetensors"))
      let card = try String(contentsOfFile: folder + "/README.md", encoding: .utf8)
      #expect(card.contains("without bias compensation") && !card.contains("o_proj"), "\(card)")
    }
    #expect(
      FileManager.default.contentsEqual(
        atPath: output + "/README.md", andPath: folder.path("written/README.md")))
  }

  @Test("--round-to and --tensor-parallel: every layer's counts divide, the budget is kept")
  func rounded() throws {
    for structure in ["AL-AM", "UL-UM"] {
      let result = try succeed(
        "search", "--statistics", statistics, "--ratio", "0.3", "--structure", structure,
        "--round-to", "32", "--tensor-parallel", "2")
      let neurons = try #require(result["kept_neurons"] as? [Int])
      let groups = try #require(result["kept_groups"] as? [Int])
      #expect(neurons.allSatisfy { $0 % 32 == 0 } && groups.allSatisfy { $0 % 2 == 0 })
      // Two groups of 96 are the step; 6 · (4 · 96 + 3 · 352) is the model.
      let step = 2.0 * 96 / (6 * (4 * 96 + 3 * 352))
      #expect(abs(try #require(result["ratio_reached"] as? Double) - 0.3) <= step)
    }
  }

  @Test(
    "bad input: one line",
    arguments: [
      (["search", "--ratio", "0.1,x"], "0.1,x"),
      (["search", "--ratio", "0.1,1.5"], "--ratio 1.5"),
      (["search", "--ratio", "0.2", "--round-to", "0"], "--round-to 0"),
      (["search", "--ratio", "0.2", "--round-to", "512"], "has 352 neurons"),
      (["search", "--ratio", "0.2", "--tensor-parallel", "8"], "has 4 groups of heads"),
      (["search", "--ratio", "0.2", "--uniform", "--tensor-parallel", "3"], "hidden size 128"),
      (["search", "--ratio", "0.02", "--round-to", "256"], "the nearest is"),
    ])
  func badInput(arguments: [String], message: String) throws {
    let plan = folder.path("plan.safetensors")
    let outcome = try Programs.coordinator(
      arguments + ["--statistics", statistics, "--output", plan])
    #expect(outcome.exitCode != 0)
    #expect(outcome.standardOutput.isEmpty)
    let line = outcome.standardError.split(separator: "\n").first { $0.hasPrefix("Error: ") } ?? ""
    #expect(line.contains(message), "\(outcome.standardError)")
    #expect(!FileManager.default.fileExists(atPath: plan))
  }

  @Test("eval says what it lacks")
  func lacking() throws {
    try succeed(
      "search", "--statistics", statistics, "--ratio", "0.2", "--output", folder.path("plan"))
    for (arguments, message) in [
      (["--plan", folder.path("plan")], "the compensation needs --statistics"),
      (["--ratio", "0.2"], "--ratio needs --statistics"),
      (["--statistics", statistics], "--statistics goes with --plan or --ratio"),
      (["--plan", statistics, "--compensation", "none"], "flap-plan is wanted"),
    ] {
      let outcome = try Programs.coordinator(
        ["eval", "--model", Programs.model, "--data", test] + arguments)
      #expect(outcome.exitCode != 0)
      #expect(outcome.standardError.contains(message), "\(outcome.standardError)")
    }
  }

  // MARK: Helpers

  /// The bundled model as one of Mistral's class, which has no place for the biases.
  private func mistral() throws -> String {
    let model = try folder.copyModel()
    let path = URL(fileURLWithPath: model + "/config.json")
    let json = try JSONSerialization.jsonObject(with: try Data(contentsOf: path))
    var config = try #require(json as? [String: Any])
    config["model_type"] = "mistral"
    config["architectures"] = ["MistralForCausalLM"]
    try JSONSerialization.data(withJSONObject: config).write(to: path)
    return model
  }

  private func perplexities(_ result: [String: Any]) throws -> [Double] {
    let plans = try #require(result["plans"] as? [[String: Any]])
    return try plans.map { try #require($0["perplexity"] as? Double) }
  }

  @discardableResult
  private func succeed(_ arguments: String...) throws -> [String: Any] { try succeed(arguments) }

  @discardableResult
  private func succeed(_ arguments: [String]) throws -> [String: Any] {
    let outcome = try Programs.coordinator(arguments + ["--json", "--quiet"])
    #expect(outcome.exitCode == 0, "\(arguments): \(outcome.standardError)")
    return try outcome.json
  }
}
