import FlapTestKit
import Foundation
import Testing

/// `--exclude-layers`, `--attention-ratio` and `--mlp-ratio` on real processes.
@Suite(.serialized)
struct SparingRunTests {
  private let folder: TemporaryFolder
  private let statistics: String

  init() throws {
    folder = try TemporaryFolder()
    statistics = folder.path("statistics.safetensors")
    let outcome = try Programs.coordinator([
      "calibrate", "--model", Programs.model, "--calibration", Programs.calibration, "--samples",
      "32", "--output", statistics, "--quiet",
    ])
    try #require(outcome.exitCode == 0, "\(outcome.standardError)")
  }

  private func search(_ more: String...) throws -> [String: Any] {
    let outcome = try Programs.coordinator(
      ["search", "--statistics", statistics, "--ratio", "0.3", "--json", "--quiet"] + more)
    try #require(outcome.exitCode == 0, "\(outcome.standardError)")
    return try outcome.json
  }

  @Test("excluded layers keep all; the ratio is reached all the same, and plan and card say so")
  func excluded() throws {
    let plan = folder.path("plan.safetensors")
    let found = try search("--exclude-layers", "0,4-5", "--output", plan)
    let groups = try #require(found["kept_groups"] as? [Int])
    let neurons = try #require(found["kept_neurons"] as? [Int])
    for layer in [0, 4, 5] { #expect(groups[layer] == 4 && neurons[layer] == 352) }
    #expect(neurons[1...3].allSatisfy { $0 < 352 })
    #expect(abs(try #require(found["ratio_reached"] as? Double) - 0.3) < 0.03)
    #expect(found["excluded_layers"] as? [Int] == [0, 4, 5])
    let facts = try Programs.coordinator(["inspect", plan, "--json"]).json
    #expect(facts["excluded_layers"] as? [Int] == [0, 4, 5])
    let written = try Programs.coordinator([
      "write", "--model", Programs.model, "--statistics", statistics, "--plan", plan, "--output",
      folder.path("pruned"), "--quiet",
    ])
    #expect(written.exitCode == 0, "\(written.standardError)")
    let card = try String(contentsOfFile: folder.path("pruned/README.md"), encoding: .utf8)
    #expect(card.contains("- asked for: layers 0,4-5 keep all heads and neurons\n"))
    #expect(card.contains("| 4 | 8 of 8 | 4 of 4 | 352 of 352 |"))
  }

  @Test("attention is spared, or all falls on it; other layers than without")
  func modules() throws {
    let spared = try search("--attention-ratio", "0")
    #expect(spared["kept_groups"] as? [Int] == Array(repeating: 4, count: 6))
    #expect(abs(try #require(spared["ratio_reached"] as? Double) - 0.3) < 0.01)
    #expect(spared["attention_ratio"] as? Double == 0)
    let other = try search("--mlp-ratio", "0.3", "--structure", "UL-UM")
    // ⌊0.3 · 352⌋ neurons and ⌊0.3 · 4⌋ groups of every layer.
    #expect(other["kept_neurons"] as? [Int] == Array(repeating: 247, count: 6))
    #expect(other["kept_groups"] as? [Int] == Array(repeating: 3, count: 6))
  }

  @Test("a run says what it was told to spare, and is resumed only under the same terms")
  func run() throws {
    let arguments = [
      "--model", Programs.model, "--calibration", Programs.calibration, "--samples", "32",
      "--ratio", "0.2", "--output", folder.path("pruned"), "--resume",
    ]
    let sparing = ["--exclude-layers", "5", "--attention-ratio", "0.1"]
    let outcome = try Programs.coordinator(arguments + sparing + ["--json"])
    try #require(outcome.exitCode == 0, "\(outcome.standardError)")
    let terms = try #require(outcome.json["terms"] as? [String: String])
    #expect(terms["--exclude-layers"] == "5" && terms["--attention-ratio"] == "0.1")
    let page = try String(contentsOfFile: folder.path("pruned/flap/report.html"), encoding: .utf8)
    #expect(page.contains("Asked for: layer 5 keeps all heads and neurons; attention"))
    let other = try Programs.coordinator(arguments)
    #expect(other.exitCode != 0)
    #expect(other.standardError.contains("--exclude-layers was 5, is not set"))
  }

  @Test(
    "what makes no sense is refused by name",
    arguments: [
      (["--exclude-layers", "6"], "no layer 6 that could stay"),
      (["--exclude-layers", "0-3"], "give at most 0.3104"),
      (["--exclude-layers", "3-1"], "--exclude-layers"),
      (["--exclude-layers", "0", "--uniform"], "--uniform gives every layer the same counts"),
      (["--exclude-layers", "0", "--round-to", "64"], "no multiple of 64"),
      (["--attention-ratio", "0", "--mlp-ratio", "0.1"], "leave out one"),
      (["--attention-ratio", "1"], "at least 0 and less than 1"),
      (["--attention-ratio", "0.9"], "attention would have to lose 0.9 of its"),
      (["--mlp-ratio", "0.9"], "can lose 0 to"),
      (
        ["--mlp-ratio", "0.1", "--structure", "AL-MM", "--groups-removed", "6"],
        "--mlp-ratio goes with --structure AL-AM, UL-UM or measured"
      ),
    ])
  func refused(options: [String], message: String) throws {
    let outcome = try Programs.coordinator(
      ["search", "--statistics", statistics, "--ratio", "0.4"] + options)
    #expect(outcome.exitCode != 0)
    #expect(outcome.standardError.contains(message), "\(outcome.standardError)")
  }
}
