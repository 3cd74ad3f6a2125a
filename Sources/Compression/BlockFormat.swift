internal import CLZ4
internal import CSnappy
internal import CZlib
internal import CZstd

/// A format in which one piece of a file is packed, its size told beside it.
public enum BlockFormat: Hashable, Sendable {
  /// `format_description.txt` of snappy.
  case snappy
  /// RFC 1952, or RFC 1950 (zlib), which some writers call gzip.
  case gzip
  case zstd
  /// `lz4_Block_format.md`.
  case lz4Block
  case lz4Frame

  /// Unpacks into just as many bytes as there were before.
  ///
  /// - Returns: whether the bytes are in the format, and as many as `output` holds.
  public func unpack(
    _ bytes: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer
  ) -> Bool {
    guard bytes.count > 0 else { return false }
    return unpackedCount(bytes, output) == output.count
  }

  /// - Returns: how many bytes came out; nil when the input is not in the format.
  private func unpackedCount(
    _ bytes: UnsafeRawBufferPointer, _ output: UnsafeMutableRawBufferPointer
  ) -> Int? {
    switch self {
    case .snappy:
      var count = output.count
      let code = snappy_uncompress(
        bytes.bindMemory(to: CChar.self).baseAddress, bytes.count,
        output.bindMemory(to: CChar.self).baseAddress, &count)
      return code == SNAPPY_OK ? count : nil
    case .gzip: return inflated(bytes, into: output)
    case .zstd:
      let count = ZSTD_decompress(
        output.baseAddress, output.count, bytes.baseAddress, bytes.count)
      return ZSTD_isError(count) == 0 ? count : nil
    case .lz4Block:
      guard let inputCount = Int32(exactly: bytes.count), let room = Int32(exactly: output.count)
      else { return nil }
      let count = LZ4_decompress_safe(
        bytes.bindMemory(to: CChar.self).baseAddress,
        output.bindMemory(to: CChar.self).baseAddress, inputCount, room)
      return count < 0 ? nil : Int(count)
    case .lz4Frame:
      let decoder = LZ4Decoder()
      var (consumed, produced) = (0, 0)
      while consumed < bytes.count {
        guard
          let step = decoder.step(
            UnsafeRawBufferPointer(rebasing: bytes[consumed...]),
            UnsafeMutableRawBufferPointer(rebasing: output[produced...]))
        else { return nil }
        consumed += step.consumedCount
        produced += step.producedCount
        if step.endsMember { return produced }
        guard step.consumedCount > 0 || step.producedCount > 0 else { return nil }
      }
      return nil
    }
  }

  private func inflated(_ bytes: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer)
    -> Int?
  {
    guard bytes.count <= UInt32.max, output.count <= UInt32.max else { return nil }
    var stream = z_stream()
    guard flap_inflate_init_any(&stream) == Z_OK else { return nil }
    defer { inflateEnd(&stream) }
    stream.next_in = UnsafeMutablePointer(mutating: bytes.bindMemory(to: UInt8.self).baseAddress)
    stream.avail_in = UInt32(bytes.count)
    stream.next_out = output.bindMemory(to: UInt8.self).baseAddress
    stream.avail_out = UInt32(output.count)
    let code = inflate(&stream, Z_FINISH)
    return code == Z_STREAM_END ? output.count - Int(stream.avail_out) : nil
  }
}
