internal import CFlapMessages
internal import CProtobufC
internal import FlapCore

/// Unpacks a header with one of protobuf-c's `…__unpack` functions and hands it to `read`.
///
/// Its memory comes from one block of `Limits.unpackedHeaderBytes`, because a small header can
/// ask for much (1 MiB of empty parts unpacks to 84 MiB). The block is freed as a whole, so no
/// path through protobuf-c can leak.
func withUnpackedHeader<Header, Result>(
  _ bytes: [UInt8],
  _ unpack: (
    UnsafeMutablePointer<ProtobufCAllocator>?, Int, UnsafePointer<UInt8>?
  ) -> UnsafeMutablePointer<Header>?,
  _ read: (Header) throws(WireError) -> Result
) throws(WireError) -> Result {
  guard bytes.count <= Limits.headerFrameBytes else {
    throw .frameTooLong(frame: 0, byteCount: bytes.count, limit: Limits.headerFrameBytes)
  }
  let block = UnsafeMutableRawPointer.allocate(
    byteCount: Limits.unpackedHeaderBytes, alignment: UnpackingMemory.alignment)
  defer { block.deallocate() }
  let memory = UnsafeMutablePointer<UnpackingMemory>.allocate(capacity: 1)
  memory.initialize(
    to: UnpackingMemory(next: block, freeByteCount: Limits.unpackedHeaderBytes))
  defer { memory.deallocate() }

  var allocator = ProtobufCAllocator(
    alloc: { memory, byteCount in
      memory?.assumingMemoryBound(to: UnpackingMemory.self).pointee.take(byteCount)
    },
    free: { _, _ in }, allocator_data: UnsafeMutableRawPointer(memory))
  guard let header = unpack(&allocator, bytes.count, bytes) else {
    throw .malformedHeader(byteCount: bytes.count)
  }
  return try read(header.pointee)
}

/// A block of memory that is given away from its start.
private struct UnpackingMemory {
  static let alignment = 16

  var next: UnsafeMutableRawPointer
  var freeByteCount: Int

  /// - Returns: nil when the block has too little left.
  mutating func take(_ byteCount: Int) -> UnsafeMutableRawPointer? {
    guard byteCount >= 0, byteCount <= freeByteCount else { return nil }
    let rounded = min(
      (byteCount + UnpackingMemory.alignment - 1) & ~(UnpackingMemory.alignment - 1),
      freeByteCount)
    defer {
      next += rounded
      freeByteCount -= rounded
    }
    return next
  }
}
