internal import Glibc
public import SystemPackage

/// A file mapped into memory for reading (mmap): pages are read when they are touched, shared by
/// all processes of the machine, and dropped by the kernel when memory is short.
public final class MappedFile: Sendable {
  public let path: FilePath
  public let byteCount: Int
  private let address: UInt

  /// - Throws: ``StorageError`` when it is not a regular file that can be read.
  public init(path: FilePath) throws(StorageError) {
    self.path = path
    let file = try RegularFile(path)
    byteCount = file.byteCount
    guard byteCount > 0 else {
      address = 0
      return
    }
    guard
      let mapped = mmap(nil, byteCount, PROT_READ, MAP_SHARED, file.descriptor.rawValue, 0),
      mapped != MAP_FAILED
    else { throw StorageError(.openFailed, path, Errno(rawValue: errno)) }
    address = UInt(bitPattern: mapped)
  }

  deinit {
    if byteCount > 0 { munmap(UnsafeMutableRawPointer(bitPattern: address), byteCount) }
  }

  /// Valid as long as this object lives.
  public var bytes: UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(start: UnsafeRawPointer(bitPattern: address), count: byteCount)
  }

  /// Asks the kernel to read a range ahead of its use (madvise, MADV_WILLNEED).
  public func willNeed(_ range: Range<Int>) {
    let page = 4096
    let start = range.lowerBound / page * page
    guard range.upperBound <= byteCount, start < range.upperBound else { return }
    madvise(
      UnsafeMutableRawPointer(bitPattern: address + UInt(start)), range.upperBound - start,
      MADV_WILLNEED)
  }
}
