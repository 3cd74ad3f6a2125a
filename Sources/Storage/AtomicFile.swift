public import FlapCore
internal import Glibc
public import SystemPackage

/// A file that appears under its name only when it is complete and on disk.
///
/// Bytes go to `NAME.tmp.ATTEMPT` beside it; ``commit()`` syncs that, renames it and syncs the
/// folder; ``setAside()`` leaves it where it is. Without either the temporary file is removed.
public struct AtomicFile: ~Copyable, ByteOutput {
  private var file: TemporaryFile
  private var output = BufferedOutput()

  /// Who may read a file, unless said otherwise.
  public static let usualPermissions: FilePermissions = [
    .ownerReadWrite, .groupRead, .otherRead,
  ]

  /// - Parameter attempt: keeps apart writers that try at the same time.
  public init(
    destination: FilePath, attempt: String = "0",
    permissions: FilePermissions = AtomicFile.usualPermissions
  ) throws(StorageError) {
    file = try TemporaryFile(
      destination: destination, attempt: attempt, permissions: permissions)
  }

  public var destination: FilePath { file.destination }

  public mutating func write(_ bytes: UnsafeRawBufferPointer) throws(StorageError) {
    try output.append(bytes, to: &file)
  }

  /// Puts the file in its place.
  ///
  /// - Parameter expected: what the digest must be.
  /// - Returns: what was written; nil when its digest is another, and then nothing is in its place.
  public consuming func commit(expecting expected: Digest) throws(StorageError) -> CommittedFile? {
    let digest = output.finish()
    return digest == expected ? try putInPlace(digest) : nil
  }

  /// Puts the file in its place.
  /// - Returns: what was written.
  public consuming func commit() throws(StorageError) -> CommittedFile {
    try putInPlace(output.finish())
  }

  /// Leaves the complete file beside its place, as a ``WaitingFile``, for another process to decide.
  /// - Returns: what was written.
  public consuming func setAside() throws(StorageError) -> CommittedFile {
    let digest = output.finish()
    try output.flush(to: &file)
    try file.setAside()
    return CommittedFile(byteCount: output.byteCount, digest: digest)
  }

  private mutating func putInPlace(_ digest: Digest) throws(StorageError) -> CommittedFile {
    try output.flush(to: &file)
    try file.putInPlace()
    return CommittedFile(byteCount: output.byteCount, digest: digest)
  }

  /// Writes a small file at once.
  @discardableResult
  public static func write(
    _ bytes: [UInt8], to path: FilePath,
    permissions: FilePermissions = AtomicFile.usualPermissions
  ) throws(StorageError) -> CommittedFile {
    var file = try AtomicFile(destination: path, permissions: permissions)
    try file.write(bytes)
    return try file.commit()
  }

  /// Writes a file whose digest is of no interest.
  ///
  /// - Parameter body: is given what appends bytes; where it returns false, or throws, there is no
  ///   file.
  /// - Returns: what `body` returns.
  public static func writeUndigested(
    to path: FilePath, _ body: (_ append: (_ bytes: [UInt8]) throws -> Void) throws -> Bool
  ) throws -> Bool {
    var file = try TemporaryFile(
      destination: path, attempt: "0", permissions: AtomicFile.usualPermissions)
    guard try body({ try file.write($0) }) else { return false }
    try file.putInPlace()
    return true
  }
}

/// A file that is complete and on disk.
public struct CommittedFile: Hashable, Sendable {
  public let byteCount: Int
  public let digest: Digest
}

/// A file under another name until it is put in its place or set aside; removed if that never
/// happens.
private struct TemporaryFile: ~Copyable, RawFile {
  let destination: FilePath
  private let path: FilePath
  private let descriptor: FileDescriptor
  private var isSetAside = false
  private var unsyncedBytes = 0

  static let syncBytes = 128 << 20

  init(
    destination: FilePath, attempt: String, permissions: FilePermissions
  ) throws(StorageError) {
    self.destination = destination
    path = WaitingFile(destination: destination, attempt: attempt).path
    do {
      // What a killed writer left, or somebody has put there, is neither written to nor followed:
      // what is written could be read, or end, elsewhere.
      guard unlink(path.string) == 0 || errno == ENOENT else { throw Errno(rawValue: errno) }
      descriptor = try FileDescriptor.open(
        path, .writeOnly, options: [.create, .exclusiveCreate, .closeOnExec],
        permissions: permissions)
    } catch {
      throw StorageError(.notWritable, path, error as? Errno)
    }
  }

  deinit {
    try? descriptor.close()
    if !isSetAside { unlink(path.string) }
  }

  mutating func write(_ bytes: [UInt8]) throws(StorageError) {
    var failure: StorageError?
    bytes.withUnsafeBytes { bytes in
      do throws(StorageError) { try write(bytes) } catch { failure = error }
    }
    if let failure { throw failure }
  }

  mutating func write(_ bytes: UnsafeRawBufferPointer) throws(StorageError) {
    do {
      _ = try descriptor.writeAll(bytes)
      unsyncedBytes += bytes.count
      if unsyncedBytes >= TemporaryFile.syncBytes {
        // Bit by bit, so that the last sync does not stand still for the whole file.
        guard fdatasync(descriptor.rawValue) == 0 else { throw Errno(rawValue: errno) }
        unsyncedBytes = 0
      }
    } catch {
      throw StorageError.write(destination, error as? Errno ?? .ioError)
    }
  }

  mutating func putInPlace() throws(StorageError) {
    try sync()
    try Folder.rename(path, to: destination)
  }

  mutating func setAside() throws(StorageError) {
    try sync()
    isSetAside = true
  }

  private func sync() throws(StorageError) {
    guard fsync(descriptor.rawValue) == 0 else {
      throw StorageError.write(destination, Errno(rawValue: errno))
    }
  }
}
