internal import Glibc
public import SystemPackage

/// An open file that has bytes of its own: whoever reads from a pipe or a device could wait for ever.
/// Links are followed.
public struct RegularFile: ~Copyable {
  public let path: FilePath
  public let descriptor: FileDescriptor
  /// When it was opened.
  public let byteCount: Int
  /// `st_mode` of stat(2).
  let mode: UInt32

  /// - Throws: ``StorageError``: it cannot be opened, is something else, or a pointer of Git LFS, which
  ///   stands for a file that is elsewhere.
  public init(_ path: FilePath) throws(StorageError) {
    let descriptor: FileDescriptor
    do {
      // A pipe without a writer would make a blocking open wait.
      descriptor = try FileDescriptor.open(
        path, .readOnly, options: [.nonBlocking, .closeOnExec])
    } catch {
      throw StorageError(.openFailed, path, error as? Errno)
    }
    var status = stat()
    guard fstat(descriptor.rawValue, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      try? descriptor.close()
      throw StorageError(.notAFile, path)
    }
    guard !LargeFilePointer.stands(in: descriptor, byteCount: Int(status.st_size)) else {
      try? descriptor.close()
      throw StorageError(.largeFilePointer, path)
    }
    self.path = path
    self.descriptor = descriptor
    byteCount = Int(status.st_size)
    mode = status.st_mode
  }

  deinit { try? descriptor.close() }

  /// - Returns: as many bytes of the range as the file has.
  func read(_ range: Range<Int>) throws(StorageError) -> [UInt8] {
    let start = min(range.lowerBound, byteCount)
    var bytes = [UInt8](repeating: 0, count: min(range.upperBound, byteCount) - start)
    var filled = 0
    do {
      while filled < bytes.count {
        let count = try bytes.withUnsafeMutableBytes {
          try descriptor.read(
            fromAbsoluteOffset: Int64(start + filled),
            into: UnsafeMutableRawBufferPointer(rebasing: $0[filled...]))
        }
        guard count > 0 else { break }
        filled += count
      }
    } catch {
      throw StorageError(.readFailed, path, error as? Errno)
    }
    bytes.removeLast(bytes.count - filled)
    return bytes
  }
}

/// A small file that may hold a secret.
public struct SecretFile: Sendable {
  public let path: FilePath
  public let bytes: [UInt8]
  private let mode: UInt32

  /// - Throws: ``StorageError`` when it cannot be read or is larger than `limit`.
  public init(_ path: FilePath, limit: Int) throws(StorageError) {
    let file = try RegularFile(path)
    guard file.byteCount <= limit else { throw StorageError(.tooLarge, path) }
    bytes = try file.read(0..<file.byteCount)
    mode = file.mode
    self.path = path
  }

  /// To be called when it does hold one. A group may read it: so Kubernetes and systemd hand
  /// secrets to programs that are not root.
  ///
  /// - Throws: ``StorageError`` when everybody may read or replace it.
  public func checkPrivacy() throws(StorageError) {
    guard mode & (S_IROTH | S_IWOTH) == 0 else {
      throw StorageError(.readableByOthers(mode: mode & 0o777), path)
    }
  }
}
