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

  public init(byteCount: Int) {
    self.byteCount = ScratchBuffer.roundedByteCount(byteCount)
    let isLarge = self.byteCount >= ScratchBuffer.hugePageBytes
    bytes = .allocate(
      byteCount: max(self.byteCount, 4096),
      alignment: isLarge ? ScratchBuffer.hugePageBytes : 4096)
    if isLarge { madvise(bytes, self.byteCount, MADV_HUGEPAGE) }
  }

  deinit { bytes.deallocate() }

  /// The buffer's floats from a position on, in elements.
  public func floats(at offset: Int = 0) -> UnsafeMutablePointer<Float> {
    bytes.assumingMemoryBound(to: Float.self) + offset
  }
}
