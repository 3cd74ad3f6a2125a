public import FlapCore
internal import Glibc
public import SystemPackage

/// A file that appears under its name only when it is complete and on disk.
///
/// Bytes go to `NAME.tmp.ATTEMPT` beside it; ``commit()`` syncs that, renames it and syncs the
/// folder. Without a commit the temporary file is removed.
public struct AtomicFile: ~Copyable {
  public let destination: FilePath
  private let temporary: FilePath
  private let file: FileDescriptor
  private var buffer: [UInt8] = []
  /// nil where nobody wants to know.
  private var digest: DigestBuilder?
  private var byteCount = 0

  private var unsyncedBytes = 0

  static let bufferBytes = 1 << 20
  static let syncBytes = 128 << 20

  /// Who may read a file, unless said otherwise.
  public static let usualPermissions: FilePermissions = [
    .ownerReadWrite, .groupRead, .otherRead,
  ]

  /// - Parameter attempt: keeps apart writers that try at the same time.
  public init(
    destination: FilePath, attempt: String = "0",
    permissions: FilePermissions = AtomicFile.usualPermissions, isDigested: Bool = true
  ) throws(StorageError) {
    digest = isDigested ? DigestBuilder() : nil
    self.destination = destination
    temporary = FilePath(destination.string + ".tmp." + attempt)
    do {
      file = try FileDescriptor.open(
        temporary, .writeOnly, options: [.create, .truncate, .closeOnExec],
        permissions: permissions)
    } catch {
      throw StorageError(.notWritable, temporary, error as? Errno)
    }
    buffer.reserveCapacity(AtomicFile.bufferBytes)
  }

  deinit {
    try? file.close()
    unlink(temporary.string)
  }

  public mutating func write(_ bytes: UnsafeRawBufferPointer) throws(StorageError) {
    byteCount += bytes.count
    if buffer.count + bytes.count > AtomicFile.bufferBytes { try flush() }
    if bytes.count >= AtomicFile.bufferBytes {
      digest?.update(bytes)
      try writeThrough(bytes)
    } else {
      buffer.append(contentsOf: bytes)
    }
  }

  public mutating func write(_ bytes: [UInt8]) throws(StorageError) {
    var failure: StorageError?
    bytes.withUnsafeBytes { bytes in
      do throws(StorageError) { try write(bytes) } catch { failure = error }
    }
    if let failure { throw failure }
  }

  /// Puts the file in its place.
  ///
  /// - Parameter expected: what the digest must be; nil: whatever it is.
  /// - Returns: what was written; nil when its digest is another, and then nothing is in its place.
  public consuming func commit(expecting expected: Digest) throws(StorageError) -> CommittedFile? {
    try flush()
    guard digest!.finalize() == expected else { return nil }
    return try commit()
  }

  /// Puts the file in its place.
  /// - Returns: what was written.
  public consuming func commit() throws(StorageError) -> CommittedFile {
    try putInPlace()
    return CommittedFile(byteCount: byteCount, digest: digest!.finalize())
  }

  private mutating func putInPlace() throws(StorageError) {
    try flush()
    do {
      guard fsync(file.rawValue) == 0 else { throw Errno(rawValue: errno) }
      guard rename(temporary.string, destination.string) == 0 else { throw Errno(rawValue: errno) }
      try AtomicFile.sync(folder: destination.removingLastComponent())
    } catch {
      throw StorageError.write(destination, error as? Errno ?? .ioError)
    }
  }

  /// Writes a file whose digest is known already, or of no interest, at once.
  public static func writeUndigested(_ bytes: [UInt8], to path: FilePath) throws(StorageError) {
    var file = try AtomicFile(destination: path, isDigested: false)
    try file.write(bytes)
    try file.putInPlace()
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

  private mutating func flush() throws(StorageError) {
    var failure: StorageError?
    buffer.withUnsafeBytes { bytes in
      digest?.update(bytes)
      do throws(StorageError) { try writeThrough(bytes) } catch { failure = error }
    }
    buffer.removeAll(keepingCapacity: true)
    if let failure { throw failure }
  }

  private mutating func writeThrough(_ bytes: UnsafeRawBufferPointer) throws(StorageError) {
    do {
      _ = try file.writeAll(bytes)
      unsyncedBytes += bytes.count
      if unsyncedBytes >= AtomicFile.syncBytes {
        // Bit by bit, so that the last sync does not stand still for the whole file.
        guard fdatasync(file.rawValue) == 0 else { throw Errno(rawValue: errno) }
        unsyncedBytes = 0
      }
    } catch {
      throw StorageError.write(destination, error as? Errno ?? .ioError)
    }
  }

  /// Makes a rename survive a power cut (fsync of the folder).
  private static func sync(folder: FilePath) throws {
    let path = folder.isEmpty ? FilePath(".") : folder
    let descriptor = try FileDescriptor.open(path, .readOnly, options: [.directory, .closeOnExec])
    defer { try? descriptor.close() }
    guard fsync(descriptor.rawValue) == 0 else { throw Errno(rawValue: errno) }
  }
}

/// A file that stands under its name.
public struct CommittedFile: Hashable, Sendable {
  public let byteCount: Int
  public let digest: Digest
}
