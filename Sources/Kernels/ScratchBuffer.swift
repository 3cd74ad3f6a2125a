internal import Glibc

/// Memory that is allocated once and used over and over: page faults are dear. Large buffers are
/// made of huge pages where the system has them, so that tiles far apart do not miss the TLB.
public final class ScratchBuffer {
  public let byteCount: Int
  public let bytes: UnsafeMutableRawPointer

  private static let hugePageBytes = 2 << 20

  /// A multiple of a page, so that sizes add up to what the process is seen to hold.
  public static func roundedByteCount(_ byteCount: Int) -> Int {
    let page = byteCount < hugePageBytes ? 4096 : hugePageBytes
    return (byteCount + page - 1) / page * page
  }

  /// - Throws: ``OutOfMemory`` (posix_memalign).
  public init(byteCount: Int) throws(OutOfMemory) {
    self.byteCount = ScratchBuffer.roundedByteCount(byteCount)
    let isLarge = self.byteCount >= ScratchBuffer.hugePageBytes
    var memory: UnsafeMutableRawPointer?
    let code = posix_memalign(
      &memory, isLarge ? ScratchBuffer.hugePageBytes : 4096, max(self.byteCount, 4096))
    guard code == 0, let memory else { throw OutOfMemory(byteCount: self.byteCount) }
    bytes = memory
    if isLarge { madvise(bytes, self.byteCount, MADV_HUGEPAGE) }
  }

  deinit { free(bytes) }

  /// The buffer's floats from a position on, in elements.
  public func floats(at offset: Int = 0) -> UnsafeMutablePointer<Float> {
    bytes.assumingMemoryBound(to: Float.self) + offset
  }
}

/// There is no room for what a forward pass needs.
public struct OutOfMemory: Error, Hashable, Sendable, CustomStringConvertible {
  /// What was asked for.
  public let byteCount: Int

  public init(byteCount: Int) { self.byteCount = byteCount }

  public var description: String {
    "cannot allocate \(max(byteCount >> 20, 1)) MiB: use fewer --threads, --leaves-per-unit 1, or a "
      + "host with more memory"
  }
}
