internal import Storage
internal import SystemPackage

/// The files of text in a folder: nested folders too, all in the order of their names' bytes.
///
/// Folders of `datasets` (`save_to_disk`) and of the Hugging Face hub hold splits: where there are
/// several, one is to be named, as FOLDER/train.
struct TextFolder {
  /// The file at a path, the files in the folder there, or those of a split.
  ///
  /// - Throws: ``TextDataError`` or a `StorageError`.
  static func files(at path: FilePath) throws -> [TextFile] {
    if path == TextFile.standardInput { return [TextFile(path: path)] }
    if isFolder(path) {
      let files = try self.files(in: path)
      let splits = splits(of: files, in: path)
      guard splits.count < 2 else {
        throw TextDataError.severalSplits(folder: path.string, splits: splits)
      }
      return files
    }
    guard !SmallFile.exists(path), let split = path.lastComponent?.string,
      isFolder(path.removingLastComponent())
    else { return [TextFile(path: path)] }
    // No such file: a split of the folder, by the names of its files.
    let folder = path.removingLastComponent()
    let files = (try? self.files(in: folder)) ?? []
    let splits = splits(of: files, in: folder)
    let chosen = files.filter { self.split(of: $0, in: folder) == split }
    guard !chosen.isEmpty else {
      guard splits.isEmpty else {
        throw TextDataError.noSuchSplit(folder: folder.string, split: split, splits: splits)
      }
      return [TextFile(path: path)]
    }
    return chosen
  }

  private static func files(in folder: FilePath) throws -> [TextFile] {
    if let files = try SavedDataset.files(in: folder) { return files }
    var found: [TextFile] = []
    var refusal: TextDataError?
    try collect(folder, depth: 0, into: &found, &refusal)
    let tables = found.filter { $0.form?.isTable == true }
    // What lies beside tables describes them.
    let files = tables.isEmpty ? found : found.filter { $0.form != nil }
    guard !files.isEmpty else { throw refusal ?? .noText(folder: folder.string) }
    return files
  }

  /// - Parameter refusal: gets what to do with the first file of a format that is known and not read.
  private static func collect(
    _ folder: FilePath, depth: Int, into files: inout [TextFile], _ refusal: inout TextDataError?
  ) throws {
    // Links may lead back.
    guard depth < TextLimits.folderDepth else {
      throw TextDataError.foldersTooDeep(folder: folder.string)
    }
    let names = try Folder.entries(of: folder).filter { !$0.hasPrefix(".") }
      .sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    for name in names where !isDescription(name) {
      let path = folder.appending(name)
      if isFolder(path) {
        try collect(path, depth: depth + 1, into: &files, &refusal)
      } else {
        let file = TextFile(path: path)
        if isData(file, &refusal) { files.append(file) }
      }
    }
  }

  /// Whether a file in a folder is one of its texts: by its name, or else by its contents.
  private static func isData(_ file: TextFile, _ refusal: inout TextDataError?) -> Bool {
    if let form = file.form, form != .json { return true }
    // What cannot be opened says so when it is read, if it is one by its name.
    guard let contents = try? FileContents(file) else { return file.form != nil }
    if case .foreign(let format) = contents.kind, refusal == nil {
      refusal = .foreign(path: file.path.string, format: format)
    }
    // Settings lie beside texts, as .json of one object on several lines.
    return file.form == .json ? !contents.beginsAsSettings : contents.kind == .text
  }

  private static func isDescription(_ name: String) -> Bool {
    let stem = name.prefix { $0 != "." }.lowercased()
    let isProse = ["readme", "license", "licence", "notice", "citation"].contains(stem)
    return isProse || name.hasSuffix("~")
      || [
        "dataset_info.json", "dataset_infos.json", "dataset_dict.json", "state.json",
        "dataset-metadata.json",
      ].contains(name.lowercased())
  }

  /// In the order of their names' bytes.
  private static func splits(of files: [TextFile], in folder: FilePath) -> [String] {
    Set(files.compactMap { split(of: $0, in: folder) })
      .sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
  }

  /// The words by which `datasets` finds splits (`data_files.py`), with the names that it gives them.
  private static let splitWords = [
    "train": "train", "training": "train", "validation": "validation", "valid": "validation",
    "dev": "validation", "val": "validation", "test": "test", "testing": "test", "eval": "test",
    "evaluation": "test",
  ]

  /// By the file's own name, or else by that of a folder that it is in.
  private static func split(of file: TextFile, in folder: FilePath) -> String? {
    let names = file.path.components.suffix(
      file.path.components.count - folder.components.count)
    for name in names.reversed() {
      let words = name.string.lowercased().split { "._- ".contains($0) }
      if let split = words.lazy.compactMap({ splitWords[String($0)] }).first { return split }
    }
    return nil
  }

  static func isFolder(_ path: FilePath) -> Bool {
    guard
      let folder = try? FileDescriptor.open(
        path.isEmpty ? FilePath(".") : path, .readOnly, options: [.directory, .closeOnExec])
    else { return false }
    try? folder.close()
    return true
  }
}
