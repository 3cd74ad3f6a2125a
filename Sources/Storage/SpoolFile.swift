public import FlapCore
internal import Glibc
public import SystemPackage

/// Bytes that come one after another and wait on disk instead of in memory, in a file without a
/// name (open, unlink): whatever happens, nothing of it stays.
public struct SpoolWriter: ~Copyable {
  private let file: NamelessFile
  private var digest = DigestBuilder()
  private var byteCount = 0

  /// - Parameter folder: on whose disk.
  public init(in folder: FilePath) throws(StorageError) { file = try NamelessFile(in: folder) }

  public mutating func append(_ bytes: [UInt8]) throws(StorageError) {
    var failure: Errno?
    bytes.withUnsafeBytes { bytes in
      digest.update(bytes)
      do { try file.descriptor.writeAll(bytes) } catch { failure = error as? Errno ?? .ioError }
    }
    if let failure { throw StorageError.write(file.folder, failure) }
    byteCount += bytes.count
  }

  public consuming func finish() -> SpooledFile {
    SpooledFile(file, byteCount: byteCount, digest: digest.finalize())
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

private final class NamelessFile: Sendable {
  let folder: FilePath
  let descriptor: FileDescriptor

  init(in folder: FilePath) throws(StorageError) {
    self.folder = folder
    let name = "flap-" + String(UInt64.random(in: .min ... .max), radix: 16)
    let path = folder.appending(name)
    do {
      descriptor = try FileDescriptor.open(
        path, .readWrite, options: [.create, .exclusiveCreate, .closeOnExec],
        permissions: .ownerReadWrite)
    } catch {
      throw StorageError.write(folder, error as? Errno ?? .ioError)
    }
    unlink(path.string)
  }

  deinit { try? descriptor.close() }
}
