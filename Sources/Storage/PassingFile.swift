internal import Glibc
public import SystemPackage

/// A file that others are to read soon, and nobody later: it appears under its name when it is
/// complete, and is gone after a power cut.
public struct PassingFile: ~Copyable, ByteOutput {
  private let destination: FilePath
  private var file: File
  private var output = BufferedOutput()

  private struct File: RawFile, ~Copyable {
    let path: FilePath
    let descriptor: FileDescriptor
    var isInPlace = false

    init(_ path: FilePath) throws(StorageError) {
      self.path = path
      do {
        descriptor = try FileDescriptor.open(
          path, .writeOnly, options: [.create, .truncate, .closeOnExec, .noFollow],
          permissions: .ownerReadWrite)
      } catch {
        throw StorageError(.notWritable, path, error as? Errno)
      }
    }

    deinit {
      try? descriptor.close()
      if !isInPlace { unlink(path.string) }
    }

    func write(_ bytes: UnsafeRawBufferPointer) throws(StorageError) {
      do { try descriptor.writeAll(bytes) } catch {
        throw StorageError.write(path, error as? Errno ?? .ioError)
      }
    }
  }

  /// - Parameter attempt: keeps apart writers that try at the same time.
  public init(destination: FilePath, attempt: String) throws(StorageError) {
    self.destination = destination
    file = try File(WaitingFile(destination: destination, attempt: attempt).path)
  }

  public mutating func write(_ bytes: UnsafeRawBufferPointer) throws(StorageError) {
    try output.append(bytes, to: &file)
  }

  /// Puts it in its place.
  /// - Returns: what was written.
  public consuming func finish() throws(StorageError) -> CommittedFile {
    try output.flush(to: &file)
    guard rename(file.path.string, destination.string) == 0 else {
      throw StorageError.write(destination, Errno(rawValue: errno))
    }
    file.isInPlace = true
    return CommittedFile(byteCount: output.byteCount, digest: output.finish())
  }
}
