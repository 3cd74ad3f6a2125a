public import FlapCore
internal import Glibc
public import SystemPackage

/// Files that are read whole.
public enum SmallFile {
  /// - Throws: ``StorageError`` when it cannot be read or is larger than `limit`.
  public static func read(_ path: FilePath, limit: Int) throws(StorageError) -> [UInt8] {
    let size = try size(path)
    guard size <= limit else { throw StorageError(.tooLarge, path) }
    return try read(path, 0..<size)
  }

  /// Bytes of a file.
  ///
  /// - Returns: as many as the file has of them.
  public static func read(_ path: FilePath, _ range: Range<Int>) throws(StorageError) -> [UInt8] {
    do {
      let file = try FileDescriptor.open(path, .readOnly, options: .closeOnExec)
      defer { try? file.close() }
      let end = try Int(file.seek(offset: 0, from: .end))
      let start = min(range.lowerBound, end)
      var bytes = [UInt8](repeating: 0, count: min(range.upperBound, end) - start)
      var filled = 0
      while filled < bytes.count {
        let count = try bytes.withUnsafeMutableBytes {
          try file.read(
            fromAbsoluteOffset: Int64(start + filled),
            into: UnsafeMutableRawBufferPointer(rebasing: $0[filled...]))
        }
        guard count > 0 else { break }
        filled += count
      }
      bytes.removeLast(bytes.count - filled)
      return bytes
    } catch {
      throw StorageError(.readFailed, path, error as? Errno)
    }
  }

  public static func exists(_ path: FilePath) -> Bool { access(path.string, F_OK) == 0 }

  /// The size of a file (open and lseek, so that network file systems look again); nil when it is
  /// not there.
  public static func byteCount(_ path: FilePath) -> Int? { try? size(path) }

  private static func size(_ path: FilePath) throws(StorageError) -> Int {
    do {
      let file = try FileDescriptor.open(path, .readOnly, options: .closeOnExec)
      defer { try? file.close() }
      return try Int(file.seek(offset: 0, from: .end))
    } catch {
      throw StorageError(.readFailed, path, error as? Errno)
    }
  }

  /// SHA-256 of a file's bytes.
  public static func digest(_ path: FilePath) throws(StorageError) -> Digest {
    let file = try MappedFile(path: path)
    return withExtendedLifetime(file) { Digest(hashing: file.bytes) }
  }
}
