import FlapTestKit
import Foundation
import Testing

/// `flap-coord compare` on real processes.
struct CompareTests {
  private static let shared = [
    "--model", Programs.model, "--calibration", Programs.calibration, "--samples", "96",
    "--tokens-per-leaf", "1024", "--compute", "f32", "--quiet", "--json",
  ]

  private func compare(
    _ folder: TemporaryFolder, _ arguments: [String]
  ) throws -> Programs.Outcome {
    try Programs.coordinator(
      ["compare"] + CompareTests.shared + [
        "--eval", Programs.model + "/test.npy", "--output", folder.path("compared"),
      ] + arguments)
  }

  @Test("the perplexities are those of the checkpoints that would be written")
  func samePerplexities() throws {
    let folder = try TemporaryFolder()
    let outcome = try compare(
      folder, ["--ratio", "0.5", "--methods", "wanda-sp,flap,best", "--local-workers", "2"])
    try #require(outcome.exitCode == 0, "\(outcome.standardError)")
    let entries = try #require(outcome.json["entries"] as? [[String: Any]])
    #expect(entries.map { $0["method"] as? String } == ["wanda-sp", "flap", "best"])
    let found = try entries.map { try #require($0["perplexity"] as? Double) }
    #expect(found[2] < found[1])
    // Only measured losses predict one.
    #expect(entries.map { $0["predicted_loss"] is Double } == [false, false, true])
    let page = try String(contentsOfFile: folder.path("compared/compare.html"), encoding: .utf8)
    for (name, perplexity) in zip(["wanda-sp", "flap", "best"], found) {
      #expect(page.contains("<path class=\"method \(name)\""))
      #expect(page.contains("<td>\(String(format: "%.4f", perplexity))</td>"))
    }
    // What is published tells no paths.
    #expect(!page.contains(folder.path) && page.contains("<code>test.npy</code>"))
    for (method, index) in [("flap", 1), ("best", 2)] {
      let written = folder.path(method)
      let pruned = try Programs.coordinator(
        CompareTests.shared + ["--ratio", "0.5", "--method", method, "--output", written])
      try #require(pruned.exitCode == 0, "\(pruned.standardError)")
      let evaluated = try Programs.coordinator([
        "eval", "--model", written, "--data", Programs.model + "/test.npy", "--samples", "96",
        "--tokens-per-leaf", "1024", "--compute", "f32", "--quiet", "--json",
      ])
      let perplexity = try #require(evaluated.json["perplexity"] as? Double)
      #expect(perplexity == found[index], "\(method)")
    }
  }

  @Test("what cannot be compared is one line")
  func refused() throws {
    let folder = try TemporaryFolder()
    for (arguments, message) in [
      (["--ratio", "0.99"], "ratio 0.99"),
      (["--ratio", "0.5", "--methods", "flap,flap"], "methods"),
      (["--ratio", "0.5", "--gather"], "leave out --gather"),
    ] {
      let outcome = try compare(folder, arguments)
      #expect(outcome.exitCode != 0)
      #expect(outcome.standardError.contains(message), "\(outcome.standardError)")
    }
  }
}
