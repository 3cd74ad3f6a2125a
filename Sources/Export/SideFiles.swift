public import Storage
public import SystemPackage

/// The files of a checkpoint's folder that are neither weights nor configuration: what transformers
/// and others read besides, and the terms on which the model was given.
///
/// What is copied is going to be published, so a link is followed only where it stays with the
/// model: within its folder, or from a snapshot of the Hugging Face cache to the blobs beside it.
public enum SideFiles {
  /// Tokenizers of transformers and of mistral-common, templates of chats, defaults of generation.
  private static let names: Set<String> = [
    "tokenizer.json", "tokenizer.model", "tokenizer_config.json", "special_tokens_map.json",
    "added_tokens.json", "vocab.json", "merges.txt", "tekken.json", "chat_template.json",
    "chat_template.jinja", "generation_config.json",
  ]
  /// With names of versions or of formats behind them.
  private static let terms = ["LICENSE", "LICENCE", "COPYING", "NOTICE", "USE_POLICY"]
  /// Folders of templates by their names; the first is the one that transformers reads.
  private static let templateFolders = ["additional_chat_templates", "chat_templates"]
  private static let largestBytes = 256 << 20

  /// What ``copy(from:to:)`` did with those that are there.
  public struct Outcome: Hashable, Sendable {
    /// Names of what stands in the other folder now, sorted; with that of a folder of templates.
    public fileprivate(set) var copied: [String] = []
    /// What leads out of the model's folder and was left out: one line for people each.
    public fileprivate(set) var warnings: [String] = []
  }

  /// Copies those that are there, what they hold and not links to it.
  @discardableResult
  public static func copy(from source: FilePath, to destination: FilePath) throws(StorageError)
    -> Outcome
  {
    var outcome = Outcome()
    let homes = homes(of: source)
    for name in try files(in: source) {
      // A link that leads nowhere is as good as no file.
      guard let path = Folder.resolved(source.pushing(FilePath(name))), !Folder.isThere(path)
      else { continue }
      guard homes.contains(where: { path.starts(with: $0) }) else {
        outcome.warnings.append(
          "\(source.pushing(FilePath(name))) is a link to \(path), out of the model's folder, and "
            + "was not copied: copy it there yourself if it may be published")
        continue
      }
      let bytes = try SmallFile.read(path, limit: largestBytes)
      let place = destination.pushing(FilePath(name))
      try Folder.make(place.removingLastComponent())
      try AtomicFile.write(bytes, to: place)
      outcome.copied.append(name)
    }
    return outcome
  }

  /// Relative to the folder.
  private static func files(in source: FilePath) throws(StorageError) -> [String] {
    var files = try Folder.entries(of: source).filter(isWanted)
    for folder in templateFolders where Folder.isThere(source.appending(folder)) {
      files += try Folder.entries(of: source.appending(folder)).filter { $0.hasSuffix(".jinja") }
        .map { "\(folder)/\($0)" }
    }
    return files.sorted()
  }

  private static func isWanted(_ name: String) -> Bool {
    // `tokenizer.model.v3` of mistral-common, `tokenizer.4.0.0.json` of transformers.
    let isVersion =
      name.hasPrefix("tokenizer.model.v")
      || name.hasPrefix("tokenizer.") && name.hasSuffix(".json")
    return names.contains(name) || isVersion || terms.contains { name.uppercased().hasPrefix($0) }
  }

  /// The folders that a model's files may lie in.
  private static func homes(of source: FilePath) -> [FilePath] {
    guard let folder = Folder.resolved(source) else { return [] }
    // models--OWNER--NAME/snapshots/REVISION/FILE → ../../blobs/DIGEST
    let snapshots = folder.removingLastComponent()
    let repository = snapshots.removingLastComponent()
    guard snapshots.lastComponent?.string == "snapshots",
      repository.lastComponent?.string.hasPrefix("models--") == true
    else { return [folder] }
    return [folder, repository.appending("blobs")]
  }
}
