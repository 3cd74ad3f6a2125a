internal import Glibc

/// Memory that is allocated once and used over and over: page faults are dear. Large buffers are
/// made of huge pages where the system has them, so that tiles far apart do not miss the TLB.
public final class ScratchBuffer {
  public let byteCount: Int
  public let bytes: UnsafeMutableRawPointer
  private let isMapped: Bool

  private static let hugePageBytes = 2 << 20
  /// The allocator keeps what it once had of buffers below huge pages, hundreds of them where each expert
  /// has one: these come from the system and go back to it.
  private static let mappedBytes = 128 << 10

  /// A multiple of a page, so that sizes add up to what the process is seen to hold.
  public static func roundedByteCount(_ byteCount: Int) -> Int {
    let page = byteCount < hugePageBytes ? 4096 : hugePageBytes
    return (byteCount + page - 1) / page * page
  }

  /// - Throws: ``OutOfMemory`` (posix_memalign; mmap).
  public init(byteCount: Int) throws(OutOfMemory) {
    self.byteCount = ScratchBuffer.roundedByteCount(byteCount)
    let isLarge = self.byteCount >= ScratchBuffer.hugePageBytes
    guard isLarge || self.byteCount < ScratchBuffer.mappedBytes else {
      guard
        let memory = mmap(
          nil, self.byteCount, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
        memory != MAP_FAILED
      else { throw OutOfMemory(byteCount: self.byteCount) }
      bytes = memory
      isMapped = true
      return
    }
    var memory: UnsafeMutableRawPointer?
    let code = posix_memalign(
      &memory, isLarge ? ScratchBuffer.hugePageBytes : 4096, max(self.byteCount, 4096))
    guard code == 0, let memory else { throw OutOfMemory(byteCount: self.byteCount) }
    bytes = memory
    isMapped = false
    if isLarge { madvise(bytes, self.byteCount, MADV_HUGEPAGE) }
  }

  /// Memory that the system may write to a file without a name, so that it takes no other's room.
  ///
  /// - Parameter folder: of a file system with so much space.
  /// - Throws: ``OutOfMemory`` (mkstemp; posix_fallocate; mmap).
  public init(byteCount: Int, inFileOf folder: String) throws(OutOfMemory) {
    self.byteCount = max(ScratchBuffer.roundedByteCount(byteCount), 4096)
    var name = Array("\(folder)/flap-XXXXXX".utf8CString)
    let file = mkstemp(&name)
    guard file >= 0 else { throw OutOfMemory(byteCount: byteCount, folder: folder) }
    unlink(name)
    _ = fcntl(file, F_SETFD, FD_CLOEXEC)
    defer { close(file) }
    // Space that is not there must not be found out by a write to memory.
    guard posix_fallocate(file, 0, self.byteCount) == 0,
      let memory = mmap(nil, self.byteCount, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0),
      memory != MAP_FAILED
    else { throw OutOfMemory(byteCount: byteCount, folder: folder) }
    bytes = memory
    isMapped = true
  }

  deinit {
    if isMapped {
      munmap(bytes, byteCount)
    } else {
      free(bytes)
    }
  }

  /// The buffer's floats from a position on, in elements.
  public func floats(at offset: Int = 0) -> UnsafeMutablePointer<Float> {
    bytes.assumingMemoryBound(to: Float.self) + offset
  }
}

/// There is no room for what a forward pass needs.
public struct OutOfMemory: Error, Hashable, Sendable, CustomStringConvertible {
  /// What was asked for.
  public let byteCount: Int
  /// Of the file system that has no room; nil: memory.
  public let folder: String?

  public init(byteCount: Int, folder: String? = nil) {
    self.byteCount = byteCount
    self.folder = folder
  }

  public var description: String {
    if let folder {
      return "no room for \(max(byteCount >> 20, 1)) MiB in \(folder): make room, or set TMPDIR"
    }
    return
      "cannot allocate \(max(byteCount >> 20, 1)) MiB: use fewer --threads, --leaves-per-unit 1, or a "
      + "host with more memory"
  }
}
