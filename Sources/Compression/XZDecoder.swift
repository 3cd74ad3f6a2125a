internal import CLzma

/// liblzma's `lzma_stream_decoder_mt`.
final class XZDecoder: StreamDecoder {
  private let stream: UnsafeMutablePointer<lzma_stream>

  init() {
    stream = .allocate(capacity: 1)
    flap_lzma_init(stream)
    reset()
  }

  deinit {
    lzma_end(stream)
    stream.deallocate()
  }

  func reset() {
    let code = flap_lzma_open(
      stream, UInt64(CompressionLimits.decoderBytes), UInt32(CompressionLimits.threadCount))
    // It fails for want of memory only, as an allocation in Swift would.
    precondition(code == LZMA_OK, "lzma_stream_decoder_mt: \(code)")
  }

  func step(_ input: UnsafeRawBufferPointer, _ output: UnsafeMutableRawBufferPointer) -> StreamStep?
  {
    stream.pointee.next_in = input.bindMemory(to: UInt8.self).baseAddress
    stream.pointee.avail_in = input.count
    stream.pointee.next_out = output.bindMemory(to: UInt8.self).baseAddress
    stream.pointee.avail_out = output.count
    let code = lzma_code(stream, LZMA_RUN)
    guard code == LZMA_OK || code == LZMA_STREAM_END || code == LZMA_BUF_ERROR else { return nil }
    return StreamStep(
      consumedCount: input.count - stream.pointee.avail_in,
      producedCount: output.count - stream.pointee.avail_out,
      endsMember: code == LZMA_STREAM_END)
  }
}
