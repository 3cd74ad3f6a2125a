import FlapTestKit
import Foundation
import Testing

/// A model by its name on the Hugging Face hub, in a cache as `hf download` makes it.
@Suite(.serialized)
struct HubModelTests {
  private static let commit = String(repeating: "a1", count: 20)

  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private var environment: [String: String] {
    ["HF_HUB_CACHE": folder.path("hub"), "HF_HOME": "", "HUGGINGFACE_HUB_CACHE": ""]
  }

  @Test("pruned from the cache: the same bytes as from the folder, with contents and not links")
  func prunes() throws {
    try makeCache()
    let fromCache = try prune("tiny/flap-demo", into: "cache")
    let fromFolder = try prune(Programs.model, into: "folder")
    #expect(fromCache.exitCode == 0, "\(fromCache.standardError)")
    #expect(fromFolder.exitCode == 0, "\(fromFolder.standardError)")
    let digests = try Programs.digests(below: folder.path("cache"))
    #expect(try digests == Programs.digests(below: folder.path("folder")))
    let tokenizer = folder.path("cache/tokenizer.json")
    let attributes = try FileManager.default.attributesOfItem(atPath: tokenizer)
    #expect(attributes[.type] as? FileAttributeType == .typeRegular)
    let card = try String(contentsOfFile: folder.path("cache/README.md"), encoding: .utf8)
    #expect(card.contains("base_model: tiny/flap-demo\n"))
  }

  @Test("other commands find it, too; a worker of another cache looks in its own")
  func commands() throws {
    try makeCache()
    let inspected = try run(["inspect", "tiny/flap-demo@main", "--json"])
    #expect(try inspected.json["kind"] as? String == "checkpoint, llama")
    let evaluated = try run([
      "eval", "--model", "tiny/flap-demo", "--data", Programs.model + "/test.npy", "--json",
    ])
    #expect(evaluated.exitCode == 0, "\(evaluated.standardError)")
    // The path of a snapshot that is not here.
    let path = "/elsewhere/hub/models--tiny--flap-demo/snapshots/\(Self.commit)"
    #expect(try run(["inspect", path, "--json"]).standardOutput == inspected.standardOutput)
  }

  @Test("not there, or not whole: one line with the command, and nothing is written")
  func refusals() throws {
    let absent = try prune("tiny/flap-demo", into: "out")
    #expect(absent.exitCode != 0)
    #expect(absent.standardError.contains("with: hf download tiny/flap-demo ("))
    try makeCache(without: "model-00002-of-00002.safetensors")
    let partial = try prune("tiny/flap-demo", into: "out")
    #expect(partial.exitCode != 0)
    #expect(partial.standardError.contains("model-00002-of-00002.safetensors is missing"))
    #expect(partial.standardError.contains("go on with: hf download tiny/flap-demo"))
    #expect(!FileManager.default.fileExists(atPath: folder.path("out")))
  }

  @Test(
    "a pointer of Git LFS in the place of a file says what fetches it",
    arguments: ["model-00001-of-00002.safetensors", "tokenizer.json", "text.txt"])
  func largeFilePointers(name: String) throws {
    let model = try folder.copyModel()
    try Data("The farmer sees a wolf.".utf8).write(to: URL(fileURLWithPath: model + "/text.txt"))
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n"
    try Data(pointer.utf8).write(to: URL(fileURLWithPath: model + "/" + name))
    let outcome = try run([
      "--model", model, "--calibration", model + "/text.txt", "--ratio", "0.2", "--output",
      folder.path("out"),
    ])
    #expect(outcome.exitCode != 0)
    #expect(outcome.standardError.contains("\(name) is a pointer of Git LFS"))
    #expect(outcome.standardError.contains("git -C \(model) lfs pull"))
  }

  private func prune(_ model: String, into output: String) throws -> Programs.Outcome {
    try run([
      "--model", model, "--calibration", Programs.calibration, "--samples", "16", "--ratio", "0.3",
      "--local-workers", "2", "--output", folder.path(output), "--quiet",
    ])
  }

  private func run(_ arguments: [String]) throws -> Programs.Outcome {
    try Programs.coordinator(arguments, environment: environment)
  }

  private func makeCache(without missing: String? = nil) throws {
    let files = FileManager.default
    let repository = folder.path("hub/models--tiny--flap-demo")
    let snapshot = repository + "/snapshots/" + Self.commit
    for path in [repository + "/refs", repository + "/blobs", snapshot] {
      try files.createDirectory(atPath: path, withIntermediateDirectories: true)
    }
    try Data(Self.commit.utf8).write(to: URL(fileURLWithPath: repository + "/refs/main"))
    let names = try files.contentsOfDirectory(atPath: Programs.model).sorted()
    for (number, name) in names.enumerated() {
      if name != missing {
        try files.copyItem(
          atPath: Programs.model + "/" + name, toPath: repository + "/blobs/\(number)")
      }
      try files.createSymbolicLink(
        atPath: snapshot + "/" + name, withDestinationPath: "../../blobs/\(number)")
    }
  }
}
