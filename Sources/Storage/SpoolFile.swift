public import FlapCore
internal import Glibc
public import SystemPackage

/// Bytes that come one after another and wait on disk instead of in memory, in a file without a
/// name: whatever happens to the process, nothing of it stays.
public struct SpoolWriter: ~Copyable, ByteOutput {
  private var file: NamelessFile
  private var output = BufferedOutput()

  /// - Parameter folder: on whose disk.
  public init(in folder: FilePath) throws(StorageError) { file = try NamelessFile(in: folder) }

  public mutating func write(_ bytes: UnsafeRawBufferPointer) throws(StorageError) {
    try output.append(bytes, to: &file)
  }

  public consuming func finish() throws(StorageError) -> SpooledFile {
    try output.flush(to: &file)
    return SpooledFile(file, byteCount: output.byteCount, digest: output.finish())
  }
}

/// What a ``SpoolWriter`` was given.
public final class SpooledFile: Sendable {
  public let byteCount: Int
  /// SHA-256 of the bytes.
  public let digest: Digest
  private let file: NamelessFile

  fileprivate init(_ file: NamelessFile, byteCount: Int, digest: Digest) {
    self.file = file
    self.byteCount = byteCount
    self.digest = digest
  }

  /// - Precondition: the range lies within the file.
  public func bytes(in range: Range<Int>) throws(StorageError) -> [UInt8] {
    precondition(range.lowerBound >= 0 && range.upperBound <= byteCount)
    var bytes = [UInt8](repeating: 0, count: range.count)
    var filled = 0
    while filled < range.count {
      let count = bytes.withUnsafeMutableBytes {
        pread(
          file.descriptor.rawValue, $0.baseAddress! + filled, range.count - filled,
          off_t(range.lowerBound + filled))
      }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else {
        throw StorageError(.readFailed, file.folder, Errno(rawValue: count < 0 ? errno : EIO))
      }
      filled += count
    }
    return bytes
  }
}

private final class NamelessFile: Sendable, RawFile {
  let folder: FilePath
  let descriptor: FileDescriptor

  init(in folder: FilePath) throws(StorageError) {
    self.folder = folder
    do {
      descriptor = try NamelessFile.begin(in: folder) ?? NamelessFile.beginWithName(in: folder)
    } catch {
      throw StorageError(.temporaryFolder, folder, error as? Errno ?? .ioError)
    }
  }

  deinit { try? descriptor.close() }

  func write(_ bytes: UnsafeRawBufferPointer) throws(StorageError) {
    do { try descriptor.writeAll(bytes) } catch {
      throw StorageError(.temporaryFolder, folder, error as? Errno ?? .ioError)
    }
  }

  /// A file that never had a name (open, O_TMPFILE).
  /// - Returns: nil where the file system knows no such files.
  private static func begin(in folder: FilePath) throws -> FileDescriptor? {
    // As <fcntl.h> composes it, on every architecture that Swift runs on.
    let nameless: CInt = 0o20_000_000 | O_DIRECTORY
    let descriptor = Glibc.open(folder.string, nameless | O_RDWR | O_CLOEXEC, 0o600)
    guard descriptor < 0 else { return FileDescriptor(rawValue: descriptor) }
    guard errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL else {
      throw Errno(rawValue: errno)
    }
    return nil
  }

  /// A file whose name is taken away at once.
  private static func beginWithName(in folder: FilePath) throws -> FileDescriptor {
    let name = "flap-" + String(UInt64.random(in: .min ... .max), radix: 16)
    let path = folder.appending(name)
    let descriptor = try FileDescriptor.open(
      path, .readWrite, options: [.create, .exclusiveCreate, .closeOnExec],
      permissions: .ownerReadWrite)
    unlink(path.string)
    return descriptor
  }
}
