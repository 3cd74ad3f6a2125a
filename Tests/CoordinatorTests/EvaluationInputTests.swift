import Checkpoint
import FlapTestKit
import Foundation
import SystemPackage
import Testing

/// What `eval` says of a model that it cannot compute with, and of what it passes over.
@Suite(.serialized)
struct EvaluationInputTests {
  static let damages: [(tensor: String, message: String)] = [
    // Behind the last tap, and before it, where calibration finds it too.
    ("lm_head.weight", "lm_head.weight holds a number that is not finite"),
    ("model.norm.weight", "model.norm.weight holds a number that is not finite"),
    ("model.layers.5.mlp.down_proj.weight", "model.layers.5.mlp.down_proj.weight holds a number"),
    ("model.layers.3.mlp.up_proj.weight", "the input of layer 3's mlp.down_proj is not finite"),
  ]

  @Test("weights that are no numbers are named, at the first try", arguments: damages)
  func notFinite(tensor: String, message: String) throws {
    let folder = try TemporaryFolder()
    let model = try folder.copyModel()
    let path = try #require(try Checkpoint(directory: FilePath(model)).path(of: tensor))
    let header = try SafetensorsFile(path: FilePath(path)).header
    let bytes = try #require(header.tensors.first { $0.name == tensor }).byteRange
    let file = try #require(FileHandle(forWritingAtPath: path))
    try file.seek(
      toOffset: UInt64(header.dataOffset + (bytes.lowerBound + bytes.upperBound) / 4 * 2))
    try file.write(contentsOf: Data(repeating: 0xFF, count: 64))
    let outcome = try evaluate(model)
    #expect(outcome.exitCode != 0 && outcome.standardOutput.isEmpty)
    let lines = outcome.standardError.split(separator: "\n")
    #expect(lines.last?.hasPrefix("Error: \(message)") == true, "\(outcome.standardError)")
    #expect(lines.count { $0.contains("failed on") } == 1, "\(outcome.standardError)")
  }

  @Test("what of config.json is not used is told once, whatever else is said")
  func passedOver() throws {
    let folder = try TemporaryFolder()
    let model = try folder.copyModel()
    let path = model + "/config.json"
    let text = try String(contentsOfFile: path, encoding: .utf8)
    let changed = text.replacing("\"use_cache\"", with: "\"my_field\": 3,\n  \"use_cache\"")
    try #require(changed != text)
    try changed.write(toFile: path, atomically: true, encoding: .utf8)
    let outcome = try evaluate(model)
    #expect(outcome.exitCode == 0, "\(outcome.standardError)")
    let lines = outcome.standardError.split(separator: "\n")
    #expect(lines.count == 1 && lines[0].hasPrefix("warning: "), "\(outcome.standardError)")
    #expect(lines.first?.hasSuffix(": my_field") == true)
  }

  @Test("an output projection that is not the embedding it is tied to is refused")
  func notTied() throws {
    let folder = try TemporaryFolder()
    let model = try folder.copyModel()
    let path = model + "/config.json"
    let text = try String(contentsOfFile: path, encoding: .utf8)
    let changed = text.replacing(
      "\"tie_word_embeddings\": false", with: "\"tie_word_embeddings\": true")
    try #require(changed != text)
    try changed.write(toFile: path, atomically: true, encoding: .utf8)
    let outcome = try evaluate(model)
    #expect(outcome.exitCode != 0)
    #expect(outcome.standardError.contains("lm_head.weight in \(model)"))
    #expect(outcome.standardError.contains("transformers 4.57 computes with the embedding, 5 with"))
  }

  private func evaluate(_ model: String) throws -> Programs.Outcome {
    try Programs.coordinator([
      "eval", "--model", model, "--data", model + "/test.npy", "--samples", "16", "--quiet",
      "--local-workers", "1", "--threads", "1",
    ])
  }
}
