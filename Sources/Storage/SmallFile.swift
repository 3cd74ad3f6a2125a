public import FlapCore
internal import Glibc
public import SystemPackage

/// Files that are read whole.
public enum SmallFile {
  /// - Throws: ``StorageError`` when it cannot be read or is larger than `limit`.
  public static func read(_ path: FilePath, limit: Int) throws(StorageError) -> [UInt8] {
    let file = try RegularFile(path)
    guard file.byteCount <= limit else { throw StorageError(.tooLarge, path) }
    return try file.read(0..<file.byteCount)
  }

  /// Bytes of a file.
  ///
  /// - Returns: as many as the file has of them.
  public static func read(_ path: FilePath, _ range: Range<Int>) throws(StorageError) -> [UInt8] {
    try RegularFile(path).read(range)
  }

  public static func exists(_ path: FilePath) -> Bool { access(path.string, F_OK) == 0 }

  /// The size of a file (open and fstat, so that network file systems look again); nil when it is
  /// not there.
  public static func byteCount(_ path: FilePath) -> Int? { try? RegularFile(path).byteCount }

  /// SHA-256 of a file's bytes.
  public static func digest(_ path: FilePath) throws(StorageError) -> Digest {
    let file = try MappedFile(path: path)
    return withExtendedLifetime(file) { Digest(hashing: file.bytes) }
  }
}
