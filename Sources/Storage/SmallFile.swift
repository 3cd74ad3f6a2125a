public import FlapCore
internal import Glibc
public import SystemPackage

/// Files that are read whole.
public enum SmallFile {
  /// - Throws: ``StorageError`` when it cannot be read or is larger than `limit`.
  public static func read(_ path: FilePath, limit: Int) throws(StorageError) -> [UInt8] {
    do {
      let file = try FileDescriptor.open(path, .readOnly, options: .closeOnExec)
      defer { try? file.close() }
      let size = try file.seek(offset: 0, from: .end)
      guard size <= limit else { throw StorageError(.tooLarge, path) }
      try file.seek(offset: 0, from: .start)
      var bytes = [UInt8](repeating: 0, count: Int(size))
      var filled = 0
      while filled < bytes.count {
        let count = try bytes.withUnsafeMutableBytes {
          try file.read(into: UnsafeMutableRawBufferPointer(rebasing: $0[filled...]))
        }
        guard count > 0 else { break }
        filled += count
      }
      bytes.removeLast(bytes.count - filled)
      return bytes
    } catch let error as StorageError {
      throw error
    } catch {
      throw StorageError(.readFailed, path, error as? Errno)
    }
  }

  public static func exists(_ path: FilePath) -> Bool { access(path.string, F_OK) == 0 }

  /// The size of a file (open and lseek, so that network file systems look again); nil when it is
  /// not there.
  public static func byteCount(_ path: FilePath) -> Int? {
    guard let file = try? FileDescriptor.open(path, .readOnly, options: .closeOnExec) else {
      return nil
    }
    defer { try? file.close() }
    return (try? file.seek(offset: 0, from: .end)).map { Int($0) }
  }

  /// SHA-256 of a file's bytes.
  public static func digest(_ path: FilePath) throws(StorageError) -> Digest {
    let file = try MappedFile(path: path)
    return withExtendedLifetime(file) { Digest(hashing: file.bytes) }
  }
}
