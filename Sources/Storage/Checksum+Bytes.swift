internal import CXXHash
public import FlapCore

extension Checksum {
  /// Of some bytes; about as quick as they come from memory.
  public init(of bytes: UnsafeRawBufferPointer) {
    let hash = flap_xxh128(bytes.baseAddress, bytes.count)
    self.init(high: hash.high, low: hash.low)
  }
}
