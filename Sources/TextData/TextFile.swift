internal import Storage
public import SystemPackage

/// A file of text: its form is told by its name.
public struct TextFile: Hashable, Sendable {
  public enum Form: Hashable, Sendable {
    /// One text.
    case plain
    /// One JSON object a line, a text in each.
    case jsonLines
  }

  public let path: FilePath
  public let form: Form
  public let isCompressed: Bool

  /// - Throws: ``TextDataError/unknownKind(path:)``.
  public init(path: FilePath) throws(TextDataError) {
    guard let kind = TextFile.kind(of: path) else { throw .unknownKind(path: path.string) }
    self.path = path
    (form, isCompressed) = kind
  }

  private static func kind(of path: FilePath) -> (Form, Bool)? {
    guard let component = path.lastComponent else { return nil }
    var name = component.string.lowercased()
    let isCompressed = name.hasSuffix(".gz")
    if isCompressed { name.removeLast(3) }
    if name.hasSuffix(".txt") { return (.plain, isCompressed) }
    // Sets of JSON lines are often published as .json.
    let isLines = [".jsonl", ".ndjson", ".json"].contains { name.hasSuffix($0) }
    return isLines ? (.jsonLines, isCompressed) : nil
  }

  /// The file at a path, or those in the folder there, by name in the order of its bytes; names
  /// that begin with a dot and other kinds of file are left out.
  ///
  /// - Throws: ``TextDataError`` or a `StorageError`.
  public static func files(at path: FilePath) throws -> [TextFile] {
    guard isFolder(path) else { return [try TextFile(path: path)] }
    let names = try Folder.entries(of: path).filter { !$0.hasPrefix(".") }
      .sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    let files = names.compactMap { name -> TextFile? in
      let file = path.appending(name)
      // What describes a set of texts lies beside them, as .json.
      let isDescription = name.lowercased().hasSuffix(".json")
      return isDescription || isFolder(file) ? nil : try? TextFile(path: file)
    }
    guard !files.isEmpty else { throw TextDataError.noText(folder: path.string) }
    return files
  }

  private static func isFolder(_ path: FilePath) -> Bool {
    guard
      let folder = try? FileDescriptor.open(path, .readOnly, options: [.directory, .closeOnExec])
    else { return false }
    try? folder.close()
    return true
  }
}
