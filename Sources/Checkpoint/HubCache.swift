public import FlapCore
internal import FoundationEssentials
internal import Storage
public import SystemPackage

/// The Hugging Face cache of a machine, where `hf download` and transformers put models:
/// `models--OWNER--NAME/refs/REVISION` names a commit, `snapshots/COMMIT` holds its files as links
/// to `blobs`.
public struct HubCache: Hashable, Sendable {
  public let path: FilePath

  public init(path: FilePath) { self.path = path }

  /// Where huggingface_hub looks (`constants.py`): `HF_HUB_CACHE`, its older name
  /// `HUGGINGFACE_HUB_CACHE`, `HF_HOME/hub`, `XDG_CACHE_HOME/huggingface/hub`,
  /// `~/.cache/huggingface/hub`.
  public init(environment: [String: String], home: FilePath) {
    func folder(_ name: String) -> FilePath? {
      guard let text = environment[name], !text.isEmpty else { return nil }
      guard text == "~" || text.hasPrefix("~/") else { return FilePath(text) }
      return home.pushing(FilePath(String(text.dropFirst(2))))
    }
    let caches = folder("XDG_CACHE_HOME") ?? home.appending(".cache")
    let ours = folder("HF_HOME") ?? caches.appending("huggingface")
    path = folder("HF_HUB_CACHE") ?? folder("HUGGINGFACE_HUB_CACHE") ?? ours.appending("hub")
  }

  /// Of the user who runs this process, whose home is `HOME` before that of the system's list of users
  /// (`expanduser` of Python).
  public static var ofThisUser: HubCache {
    let environment = ProcessInfo.processInfo.environment
    let home =
      environment["HOME"].flatMap { $0.isEmpty ? nil : $0 }
      ?? FileManager.default.homeDirectoryForCurrentUser.path
    return HubCache(environment: environment, home: FilePath(home))
  }

  /// The folder that somebody means by an argument: what is there by that name, else the model of
  /// this name on the hub. A path that is neither is left to whoever opens it.
  ///
  /// A snapshot of another machine's cache that is not here is looked for in this one.
  ///
  /// - Throws: ``HubCacheError``.
  public func folder(of argument: FilePath) throws(HubCacheError) -> FilePath {
    guard !SmallFile.exists(argument) else { return argument }
    if let name = HubName(argument.string), name.hasOwner { return try snapshot(of: name) }
    if let name = HubName(snapshot: argument.string) { return try snapshot(of: name) }
    return argument
  }

  /// The files of a model that was downloaded whole.
  ///
  /// - Throws: ``HubCacheError``.
  public func snapshot(of name: HubName) throws(HubCacheError) -> FilePath {
    let repository = path.appending(name.folderName)
    let revision = name.revision ?? "main"
    let reference = repository.appending("refs").pushing(FilePath(revision))
    let commit = (try? SmallFile.read(reference, limit: HubCache.longestReference))
      .flatMap { bytes in
        FilePath.Component(String(decoding: bytes.prefix { $0 > UInt8(ascii: " ") }, as: UTF8.self))
      }
    let folder = repository.appending("snapshots").pushing(FilePath(commit?.string ?? revision))
    guard Folder.isThere(folder) else { throw HubCacheError(name, .absent(cache: path.string)) }
    let missing = HubCache.missingFiles(of: folder)
    guard missing.isEmpty else {
      throw HubCacheError(name, .partial(folder: folder.string, missing: missing))
    }
    return folder
  }

  private static let longestReference = 1024

  /// Of the files that a model consists of, those that are not there yet: none where its weights are
  /// of another format.
  private static func missingFiles(of folder: FilePath) -> [String] {
    let index = folder.appending(Checkpoint.indexName)
    var names = ["config.json"]
    if SmallFile.exists(index) {
      names += (try? Checkpoint.shardNames(of: index)) ?? []
    } else if ((try? Folder.entries(of: folder)) ?? []).allSatisfy({ !isOfOtherWeights($0) }) {
      names.append(Checkpoint.singleName)
    }
    return names.filter { !SmallFile.exists(folder.appending($0)) }
  }

  private static func isOfOtherWeights(_ name: String) -> Bool {
    [".bin", ".pth", ".gguf", ".safetensors"].contains { name.hasSuffix($0) }
      && name != Checkpoint.singleName
  }
}

/// Why a model that is named by its name on the hub cannot be had from the cache, and how to get it.
public struct HubCacheError: Error, Hashable, Sendable, CustomStringConvertible {
  public enum Code: Hashable, Sendable {
    case absent(cache: String)
    /// A download that was interrupted, or one of some files only.
    case partial(folder: String, missing: [String])
  }

  public let name: HubName
  public let code: Code

  init(_ name: HubName, _ code: Code) {
    self.name = name
    self.code = code
  }

  /// Downloads it, or what is missing of it.
  public var command: String {
    "hf download \(name.id)" + (name.revision.map { " --revision \($0)" } ?? "")
  }

  public var description: String {
    switch code {
    case .absent(let cache):
      "there is no folder \(name), and no such model in the Hugging Face cache \(cache): download it "
        + "with: \(command) (hf comes with pip install -U huggingface_hub; a gated model wants its "
        + "terms accepted at https://huggingface.co/\(name.id) and hf auth login before)"
    case .partial(let folder, let missing):
      "the download of \(name) in \(folder) is not whole, "
        + (missing.count == 1
          ? "\(missing[0]) is" : "\(missing[0]) and \(missing.count - 1) more are")
        + " missing: go on with: \(command)"
    }
  }
}
