internal import CLZ4

/// `LZ4F_decompress`.
final class LZ4Decoder: StreamDecoder {
  private var context: OpaquePointer?

  init() {
    let code = LZ4F_createDecompressionContext(&context, UInt32(LZ4F_VERSION))
    precondition(LZ4F_isError(code) == 0, "LZ4F_createDecompressionContext")
  }

  deinit { LZ4F_freeDecompressionContext(context) }

  func reset() { LZ4F_resetDecompressionContext(context) }

  func step(_ input: UnsafeRawBufferPointer, _ output: UnsafeMutableRawBufferPointer) -> StreamStep?
  {
    var (consumed, produced) = (input.count, output.count)
    let code = LZ4F_decompress(
      context, output.baseAddress, &produced, input.baseAddress, &consumed, nil)
    guard LZ4F_isError(code) == 0 else { return nil }
    return StreamStep(consumedCount: consumed, producedCount: produced, endsMember: code == 0)
  }
}
