import FlapTestKit
import Foundation
import Testing

/// The commands one by one, and together.
@Suite(.serialized)
struct CommandTests {
  @Test("calibrate, search and write give what prune gives")
  func stepByStep() throws {
    let folder = try TemporaryFolder()
    let statistics = folder.path("statistics.safetensors")
    let plan = folder.path("plan.safetensors")
    try succeed(
      "calibrate", "--model", Programs.model, "--calibration", Programs.calibration, "--output",
      statistics)
    try succeed("search", "--statistics", statistics, "--ratio", "0.3", "--output", plan)
    try succeed(
      "write", "--model", Programs.model, "--statistics", statistics, "--plan", plan, "--output",
      folder.path("steps"))
    try succeed(
      "--model", Programs.model, "--calibration", Programs.calibration, "--ratio", "0.3",
      "--output", folder.path("whole"))
    for file in [
      "model.safetensors", "config.json", "flap/statistics.safetensors", "flap/plan.safetensors",
    ] {
      #expect(
        FileManager.default.contentsEqual(
          atPath: folder.path("steps/" + file), andPath: folder.path("whole/" + file)), "\(file)")
    }
  }

  @Test("search: every metric and structure; the ratio reached is near the one asked")
  func searches() throws {
    let folder = try TemporaryFolder()
    let statistics = folder.path("statistics.safetensors")
    try succeed(
      "calibrate", "--model", Programs.model, "--calibration", Programs.calibration, "--samples",
      "32", "--output", statistics)
    for metric in ["WIFV", "IFV", "WIFN", "magnitude"] {
      for structure in ["AL-AM", "AL-MM", "UL-MM", "UL-UM"] {
        let groups = structure.hasSuffix("MM") ? ["--groups-removed", "6"] : []
        let result = try succeed(
          [
            "search", "--statistics", statistics, "--ratio", "0.3", "--metric", metric,
            "--structure", structure, "--output", folder.path("plan.safetensors"),
          ] + groups)
        let reached = try #require(result["ratio_reached"] as? Double)
        // Whole groups of heads, of which UL-UM takes the same number from each layer.
        #expect(abs(reached - 0.3) < 0.06, "\(metric) \(structure)")
      }
    }
  }

  @Test("magnitude needs no data")
  func magnitude() throws {
    let folder = try TemporaryFolder()
    let result = try succeed(
      "--model", Programs.model, "--ratio", "0.2", "--metric", "magnitude", "--structure", "UL-UM",
      "--output", folder.path("pruned"))
    #expect(result["compensation"] as? String == "none")
    let evaluation = try succeed(
      "eval", "--model", folder.path("pruned"), "--data", Programs.model + "/test.npy")
    #expect(try #require(evaluation["perplexity"] as? Double) > 2.8)
  }

  @Test("ratio 0 without compensation changes no weight")
  func nothingPruned() throws {
    let folder = try TemporaryFolder()
    try succeed(
      "--model", Programs.model, "--calibration", Programs.calibration, "--samples", "16",
      "--ratio", "0", "--compensation", "none", "--output", folder.path("pruned"))
    let data = Programs.model + "/test.npy"
    let dense = try succeed("eval", "--model", Programs.model, "--data", data)
    let pruned = try succeed("eval", "--model", folder.path("pruned"), "--data", data)
    #expect(dense["perplexity"] as? Double == pruned["perplexity"] as? Double)
  }

  @Test("the memory that --dry-run states is kept", arguments: ["bf16", "f32"])
  func memory(compute: String) throws {
    let folder = try TemporaryFolder()
    let arguments = [
      "calibrate", "--model", Programs.model, "--calibration", Programs.calibration, "--compute",
      compute, "--threads", "2", "--local-workers", "1", "--output",
      folder.path("statistics.safetensors"),
    ]
    let stated = try succeed(arguments + ["--dry-run"])
    let kept = try succeed(arguments)
    let limit = try #require(stated["worker_bytes"] as? Int)
    let peak = try #require(kept["peak_worker_bytes"] as? Int)
    #expect(peak > limit / 3, "the statement says something")
    #expect(peak <= limit)
  }

  @Test("inspect tells what files hold")
  func inspect() throws {
    let folder = try TemporaryFolder()
    try succeed(
      "--model", Programs.model, "--calibration", Programs.calibration, "--samples", "16",
      "--ratio", "0.5", "--output", folder.path("pruned"))
    let statistics = try succeed("inspect", folder.path("pruned/flap/statistics.safetensors"))
    #expect(statistics["tokens"] as? Int == 2048)
    let plan = try succeed("inspect", folder.path("pruned/flap/plan.safetensors"))
    #expect(plan["metric"] as? String == "WIFV" && plan["ratio_asked"] as? Double == 0.5)
    let pruned = try succeed("inspect", folder.path("pruned"))
    #expect(pruned["kind"] as? String == "checkpoint, flap_llama")
  }

  @discardableResult
  private func succeed(_ arguments: String...) throws -> [String: Any] {
    try succeed(arguments)
  }

  @discardableResult
  private func succeed(_ arguments: [String]) throws -> [String: Any] {
    let outcome = try Programs.coordinator(arguments + ["--json", "--quiet"])
    #expect(outcome.exitCode == 0, "\(arguments): \(outcome.standardError)")
    return try outcome.json
  }
}
