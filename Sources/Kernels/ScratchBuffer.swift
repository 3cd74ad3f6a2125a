internal import Glibc

/// Memory that is allocated once and used over and over: page faults are dear.
public final class ScratchBuffer {
  public let byteCount: Int
  public let bytes: UnsafeMutableRawPointer

  /// A multiple of a page, so that sizes add up to what the process is seen to hold.
  public static func roundedByteCount(_ byteCount: Int) -> Int { (byteCount + 4095) / 4096 * 4096 }

  public init(byteCount: Int) {
    self.byteCount = ScratchBuffer.roundedByteCount(byteCount)
    bytes = .allocate(byteCount: max(self.byteCount, 4096), alignment: 4096)
  }

  deinit { bytes.deallocate() }

  /// The buffer's floats from a position on, in elements.
  public func floats(at offset: Int = 0) -> UnsafeMutablePointer<Float> {
    bytes.assumingMemoryBound(to: Float.self) + offset
  }
}
