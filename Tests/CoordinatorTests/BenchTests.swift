import FlapTestKit
import Foundation
import Testing

/// `bench` with programs that answer as llama-bench and Python do, and with such as do not; the real
/// ones are in `Tests/llamacpp`.
@Suite(.serialized)
struct BenchTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private static let answer = """
    [{"build_commit": "abc", "build_number": 7, "n_prompt": 8, "n_gen": 0, "avg_ts": 200.0, "x": 1},
     {"build_commit": "abc", "build_number": 7, "n_prompt": 0, "n_gen": 4, "avg_ts": 20.5}]
    """

  /// A program that notes what it was called with.
  private func program(_ name: String, _ body: String) throws -> String {
    let path = folder.path(name)
    let script = "#!/bin/sh\necho \"$@\" >> \(folder.path("calls"))\n\(body)\n"
    try folder.write(Array(script.utf8), to: name)
    try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: path)
    return path
  }

  private func bench(_ arguments: [String]) throws -> Programs.Outcome {
    try Programs.coordinator(
      ["bench", "--model", Programs.model, "--json", "--rounds", "3", "--threads", "2"] + arguments)
  }

  @Test("llama-bench is asked in turn; sizes are the model's; what is missing is said")
  func llamaBench() throws {
    let tool = try program("llama-bench", "cat <<'.'\n\(BenchTests.answer)\n.")
    let outcome = try bench([
      "--against", Programs.model, "--llama-bench", tool, "--python", "/nowhere/python",
      "--type", "f16", "--prompt-tokens", "8", "--generated-tokens", "4",
    ])
    #expect(outcome.exitCode == 0, "\(outcome.standardError)")
    let json = try outcome.json
    let engines = try #require(json["engines"] as? [[String: Any]])
    #expect(engines.count == 1)
    #expect(engines[0]["version"] as? String == "b7 (abc)")
    #expect(engines[0]["decode_ratio"] as? Double == 1)
    let decode = (engines[0]["model"] as? [String: Any])?["decode"] as? [String: Any]
    #expect(decode?["rounds"] as? [Double] == [20.5, 20.5, 20.5])
    let model = try #require(json["model"] as? [String: Any])
    // 4 layers, 4 heads of 24 channels, keys and values, 2 bytes each.
    let configuration =
      try JSONSerialization.jsonObject(
        with: Data(contentsOf: URL(filePath: Programs.model + "/config.json"))) as? [String: Any]
    let (layers, heads, width) = (
      configuration?["num_hidden_layers"] as? Int ?? 0,
      configuration?["num_key_value_heads"] as? Int ?? 0, configuration?["head_dim"] as? Int ?? 0
    )
    #expect(model["key_value_cache_bytes_per_token"] as? Int == 4 * layers * heads * width)
    let lost = try #require(json["not_measured"] as? [String])
    #expect(lost.count == 1 && lost[0].contains("not measured in transformers:"))
    #expect(outcome.standardError.contains("with --python"))
    let calls = try String(contentsOfFile: folder.path("calls"), encoding: .utf8)
      .split(separator: "\n")
    #expect(calls.count == 6)
    #expect(calls.allSatisfy { $0.hasSuffix(".gguf -p 8 -n 4 -t 2 -r 1 -ngl 0 -o json") })
    // Dense, pruned; pruned, dense; dense, pruned: of two files.
    #expect(calls[0] == calls[3] && calls[1] == calls[2] && calls[0] == calls[4])
    #expect(Set(calls).count == 2)
    // Neither the temporary files nor anything in the model's folder is left.
    let file = calls[0].split(separator: " ")[1]
    #expect(!FileManager.default.fileExists(atPath: String(file)))
    #expect(!FileManager.default.fileExists(atPath: Programs.model + "/flap"))
  }

  @Test(
    "a program that fails or says something else is told in one line",
    arguments: [
      ("echo 'error: no such model' >&2; exit 3", "llama.cpp: error: no such model"),
      ("exit 3", "ended with 3"),
      ("echo '[{]'", "printed no JSON of llama-bench"),
      ("kill -9 $$", "ended with 9"),
    ])
  func failures(body: String, message: String) throws {
    let tool = try program("llama-bench", body)
    let outcome = try bench(["--llama-bench", tool, "--python", "/nowhere/python"])
    #expect(outcome.exitCode == 0)
    let lost = try #require(try outcome.json["not_measured"] as? [String])
    #expect(lost.count == 2 && lost[0].contains(message), "\(lost)")
    #expect((try outcome.json["engines"] as? [Any])?.isEmpty == true)
  }

  @Test("a GGUF file alone is llama.cpp's; a missing one is refused")
  func gguf() throws {
    let tool = try program("llama-bench", "cat <<'.'\n\(BenchTests.answer)\n.")
    try folder.write([1, 2, 3], to: "model.gguf")
    let outcome = try Programs.coordinator([
      "bench", "--model", folder.path("model.gguf"), "--llama-bench", tool, "--rounds", "1",
    ])
    #expect(outcome.exitCode == 0, "\(outcome.standardError)")
    #expect(outcome.standardOutput.contains("llama.cpp prefill, tokens/s"))
    #expect(outcome.standardError.contains("GGUF files are llama.cpp's"))
    let missing = try Programs.coordinator(["bench", "--model", folder.path("other.gguf")])
    #expect(missing.exitCode != 0)
    #expect(missing.standardError.contains("other.gguf does not exist"))
    let none = try bench(["--rounds", "0"])
    #expect(none.exitCode != 0 && none.standardError.contains("--rounds is 0"))
  }
}
