internal import Storage
internal import SystemPackage
internal import Tokenizer

/// A folder that `save_to_disk` of Hugging Face's `datasets` wrote.
enum SavedDataset {
  /// The files of a `Dataset`, in its order; those of the splits of a `DatasetDict`.
  ///
  /// - Returns: nil where the folder is neither.
  /// - Throws: ``TextDataError`` or a `StorageError`.
  static func files(in folder: FilePath) throws -> [TextFile]? {
    if let state = try object(folder.appending("state.json")) {
      let names = state["_data_files"]?.elements.compactMap { $0["filename"]?.text } ?? []
      // A name, and no way out of the folder.
      let paths = names.compactMap { FilePath.Component($0) }.map { folder.appending($0) }
      return paths.isEmpty ? nil : paths.map { TextFile(path: $0) }
    }
    guard let dictionary = try object(folder.appending("dataset_dict.json")) else { return nil }
    let splits = dictionary["splits"]?.elements.compactMap { $0.text } ?? []
    guard splits.count < 2 else {
      throw TextDataError.severalSplits(folder: folder.string, splits: splits)
    }
    guard let split = splits.first.flatMap({ FilePath.Component($0) }) else { return nil }
    return try files(in: folder.appending(split))
  }

  private static func object(_ path: FilePath) throws -> JSONValue? {
    guard SmallFile.exists(path) else { return nil }
    let bytes = try SmallFile.read(path, limit: SavedDataset.descriptionBytes)
    return try bytes.withUnsafeBytes { bytes throws(TokenizerError) in
      var reader = JSONReader(bytes, path: path.string, form: .python)
      return try reader.value()
    }
  }

  private static let descriptionBytes = 1 << 20
}

extension JSONValue {
  fileprivate var elements: [JSONValue] {
    guard case .array(let elements) = self else { return [] }
    return elements
  }

  fileprivate var text: String? {
    guard case .string(let text) = self else { return nil }
    return text
  }
}
