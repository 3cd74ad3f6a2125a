public import Storage
public import SystemPackage

/// The files of a checkpoint's folder that are neither weights nor configuration.
public enum SideFiles {
  static let names = [
    "tokenizer.json", "tokenizer.model", "tokenizer_config.json", "special_tokens_map.json",
    "added_tokens.json", "vocab.json", "merges.txt", "chat_template.json", "chat_template.jinja",
    "generation_config.json", "LICENSE", "LICENSE.txt", "LICENSE.md", "USE_POLICY.md", "NOTICE",
  ]
  private static let largestBytes = 256 << 20

  /// Copies those that are there.
  /// - Returns: their names.
  @discardableResult
  public static func copy(from source: FilePath, to destination: FilePath) throws(StorageError)
    -> [String]
  {
    var copied: [String] = []
    for name in names where SmallFile.exists(source.appending(name)) {
      let bytes = try SmallFile.read(source.appending(name), limit: largestBytes)
      try AtomicFile.write(bytes, to: destination.appending(name))
      copied.append(name)
    }
    return copied
  }
}
