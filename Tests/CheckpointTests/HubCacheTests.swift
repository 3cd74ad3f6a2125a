import Checkpoint
import FlapCore
import FlapTestKit
import Foundation
import SystemPackage
import Testing

/// The Hugging Face cache. `Tests/transformers/test_hub_cache.py` compares with huggingface_hub.
struct HubCacheTests {
  private static let commit = String(repeating: "0f", count: 20)

  private let folder: TemporaryFolder
  private let cache: HubCache

  init() throws {
    folder = try TemporaryFolder()
    cache = HubCache(path: FilePath(folder.path))
  }

  @Test(
    "where the cache is",
    arguments: [
      ([:], "/home/me/.cache/huggingface/hub"), (["XDG_CACHE_HOME": "/x"], "/x/huggingface/hub"),
      (["HF_HOME": "/h", "XDG_CACHE_HOME": "/x"], "/h/hub"), (["HF_HOME": "~/h"], "/home/me/h/hub"),
      (["HUGGINGFACE_HUB_CACHE": "/o", "HF_HOME": "/h"], "/o"),
      (["HF_HUB_CACHE": "/n", "HUGGINGFACE_HUB_CACHE": "/o", "HF_HOME": "/h"], "/n"),
    ])
  func places(environment: [String: String], path: String) {
    #expect(HubCache(environment: environment, home: "/home/me").path.string == path)
  }

  @Test("a snapshot by its reference, by its commit, and by another machine's path")
  func snapshots() throws {
    let snapshot = try makeSnapshot(["config.json", "model.safetensors"])
    try write("\(Self.commit)\n", to: "models--o--m/refs/main")
    try write(Self.commit, to: "models--o--m/refs/refs/pr/1")
    for argument in [
      "o/m", "o/m@main", "o/m@refs/pr/1", "o/m@\(Self.commit)",
      "/elsewhere/models--o--m/snapshots/\(Self.commit)",
    ] {
      #expect(try cache.folder(of: FilePath(argument)).string == snapshot, "\(argument)")
    }
  }

  @Test("what is there by that name goes before; what is no name is left to whoever opens it")
  func otherPaths() throws {
    try write("", to: "o/m/config.json")
    #expect(try cache.folder(of: FilePath(folder.path("o/m"))).string == folder.path("o/m"))
    for argument in ["model", "/no/such", "./o/m", "a/b/c", "o/m.git", "o/-m", ""] {
      #expect(try cache.folder(of: FilePath(argument)) == FilePath(argument))
    }
  }

  @Test("what is not there is told with the command that downloads it")
  func absent() throws {
    let message = try #require(self.message(of: "o/m"))
    #expect(message.contains("no such model in the Hugging Face cache \(folder.path): download it"))
    #expect(message.contains("with: hf download o/m (") && message.contains("hf auth login"))
    #expect(!message.contains("\n"))
    #expect(self.message(of: "o/m@v1")?.contains("hf download o/m --revision v1 (") == true)
    // A reference to a commit that is gone.
    try write(Self.commit, to: "models--o--m/refs/main")
    #expect(self.message(of: "o/m")?.contains("no such model") == true)
  }

  @Test(
    "an interrupted download is told with the command that goes on",
    arguments: [
      (["model.safetensors"], "config.json is missing"),
      (["config.json"], "model.safetensors is missing"),
      (["config.json", "model.safetensors.index.json"], "a.safetensors and 1 more are missing"),
      (
        ["config.json", "model.safetensors.index.json", "a.safetensors"], "b.safetensors is missing"
      ),
      // Weights of another format: who opens it says so.
      (["config.json", "pytorch_model.bin"], nil),
      (["config.json", "model.safetensors.index.json", "a.safetensors", "b.safetensors"], nil),
    ] as [([String], String?)])
  func partial(files: [String], message: String?) throws {
    _ = try makeSnapshot(files)
    try write(Self.commit, to: "models--o--m/refs/main")
    let found = self.message(of: "o/m")
    #expect((found == nil) == (message == nil))
    if let message {
      #expect(found?.contains(message) == true, "\(found ?? "")")
      #expect(found?.hasSuffix("go on with: hf download o/m") == true)
    }
  }

  private func message(of name: String) -> String? {
    do {
      _ = try cache.folder(of: FilePath(name))
      return nil
    } catch { return "\(error)" }
  }

  /// As `hf download` leaves it: links to blobs. - Returns: the snapshot's path.
  private func makeSnapshot(_ files: [String]) throws -> String {
    let snapshot = "models--o--m/snapshots/\(Self.commit)"
    for (number, name) in files.enumerated() {
      let index =
        #"{"weight_map": {"x": "a.safetensors", "y": "b.safetensors", "z": "a.safetensors"}}"#
      try write(
        name.hasSuffix("index.json") ? index : name, to: "models--o--m/blobs/\(number)")
      try FileManager.default.createDirectory(
        atPath: folder.path(snapshot), withIntermediateDirectories: true)
      try FileManager.default.createSymbolicLink(
        atPath: folder.path("\(snapshot)/\(name)"),
        withDestinationPath: "../../blobs/\(number)")
    }
    // One whose blob has not come yet.
    try FileManager.default.createSymbolicLink(
      atPath: folder.path("\(snapshot)/unfinished"), withDestinationPath: "../../blobs/x")
    return folder.path(snapshot)
  }

  private func write(_ text: String, to name: String) throws {
    let url = URL(fileURLWithPath: folder.path(name))
    try FileManager.default.createDirectory(
      at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
    try Data(text.utf8).write(to: url)
  }
}
