internal import CZlib

/// zlib's `inflate`, gzip only.
final class GzipDecoder: StreamDecoder {
  private let stream: UnsafeMutablePointer<z_stream>

  init() {
    stream = .allocate(capacity: 1)
    stream.initialize(to: z_stream())
    let code = flap_inflate_init_gzip(stream)
    // It fails for want of memory only, as an allocation in Swift would.
    precondition(code == Z_OK, "inflateInit2: \(code)")
  }

  deinit {
    inflateEnd(stream)
    stream.deallocate()
  }

  func reset() { inflateReset(stream) }

  func step(_ input: UnsafeRawBufferPointer, _ output: UnsafeMutableRawBufferPointer) -> StreamStep?
  {
    // It reads only.
    stream.pointee.next_in = UnsafeMutablePointer(
      mutating: input.bindMemory(to: UInt8.self).baseAddress)
    stream.pointee.avail_in = UInt32(input.count)
    stream.pointee.next_out = output.bindMemory(to: UInt8.self).baseAddress
    stream.pointee.avail_out = UInt32(output.count)
    let code = inflate(stream, Z_NO_FLUSH)
    guard code == Z_OK || code == Z_STREAM_END || code == Z_BUF_ERROR else { return nil }
    return StreamStep(
      consumedCount: input.count - Int(stream.pointee.avail_in),
      producedCount: output.count - Int(stream.pointee.avail_out),
      endsMember: code == Z_STREAM_END)
  }
}
