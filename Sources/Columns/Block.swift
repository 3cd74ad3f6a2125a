internal import Compression

/// Bytes of the file as they are, or memory with what was unpacked from them.
struct Block {
  let bytes: UnsafeRawBufferPointer
  private let memory: Memory?

  /// The file holds them, which whoever reads it keeps.
  init(_ bytes: UnsafeRawBufferPointer) {
    self.bytes = bytes
    memory = nil
  }

  /// Memory is taken as it fills, whatever is declared.
  ///
  /// - Returns: nil where the bytes are not in the format, or not `byteCount` when unpacked.
  init?(_ packed: UnsafeRawBufferPointer, _ format: BlockFormat, byteCount: Int) {
    // One byte more, so that there is an address.
    let memory = Memory(byteCount: byteCount + 1)
    let bytes = UnsafeMutableRawBufferPointer(rebasing: memory.bytes[..<byteCount])
    guard format.unpack(packed, into: bytes) else { return nil }
    self.bytes = UnsafeRawBufferPointer(bytes)
    self.memory = memory
  }

  private final class Memory {
    let bytes: UnsafeMutableRawBufferPointer

    init(byteCount: Int) {
      bytes = .allocate(byteCount: byteCount, alignment: 16)
    }

    deinit { bytes.deallocate() }
  }
}
