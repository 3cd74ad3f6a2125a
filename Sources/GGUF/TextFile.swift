internal import FlapCore
internal import Storage
internal import SystemPackage

enum TextFile {
  /// - Returns: nil when the file is not there.
  static func read(_ path: FilePath) throws(StorageError) -> String? {
    guard SmallFile.exists(path) else { return nil }
    return String(
      decoding: try SmallFile.read(path, limit: Limits.jsonFileBytes), as: UTF8.self)
  }
}
