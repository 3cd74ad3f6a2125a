public import Storage
public import SystemPackage

/// The files of a checkpoint's folder that are neither weights nor configuration.
///
/// What is copied is going to be published, so a link is followed only where it stays with the
/// model: within its folder, or from a snapshot of the Hugging Face cache to the blobs beside it.
public enum SideFiles {
  static let names = [
    "tokenizer.json", "tokenizer.model", "tokenizer_config.json", "special_tokens_map.json",
    "added_tokens.json", "vocab.json", "merges.txt", "chat_template.json", "chat_template.jinja",
    "generation_config.json", "LICENSE", "LICENSE.txt", "LICENSE.md", "USE_POLICY.md", "NOTICE",
  ]
  private static let largestBytes = 256 << 20

  /// What ``copy(from:to:)`` did with those that are there.
  public struct Outcome: Hashable, Sendable {
    /// Names of what stands in the other folder now.
    public fileprivate(set) var copied: [String] = []
    /// What leads out of the model's folder and was left out: one line for people each.
    public fileprivate(set) var warnings: [String] = []
  }

  /// Copies those that are there.
  @discardableResult
  public static func copy(from source: FilePath, to destination: FilePath) throws(StorageError)
    -> Outcome
  {
    var outcome = Outcome()
    let homes = homes(of: source)
    for name in names {
      // A link that leads nowhere is as good as no file.
      guard let path = Folder.resolved(source.appending(name)) else { continue }
      guard homes.contains(where: { path.starts(with: $0) }) else {
        outcome.warnings.append(
          "\(source.appending(name)) is a link to \(path), out of the model's folder, and was not "
            + "copied: copy it there yourself if it may be published")
        continue
      }
      let bytes = try SmallFile.read(path, limit: largestBytes)
      try AtomicFile.write(bytes, to: destination.appending(name))
      outcome.copied.append(name)
    }
    return outcome
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
