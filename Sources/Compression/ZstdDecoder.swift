internal import CZstd

/// `ZSTD_decompressStream`.
final class ZstdDecoder: StreamDecoder {
  private let context: OpaquePointer

  init() {
    guard let context = ZSTD_createDCtx() else { preconditionFailure("ZSTD_createDCtx") }
    self.context = context
    ZSTD_DCtx_setParameter(
      context, ZSTD_d_windowLogMax,
      Int32(CompressionLimits.decoderBytes.trailingZeroBitCount))
  }

  deinit { ZSTD_freeDCtx(context) }

  func reset() { ZSTD_DCtx_reset(context, ZSTD_reset_session_only) }

  func step(_ input: UnsafeRawBufferPointer, _ output: UnsafeMutableRawBufferPointer) -> StreamStep?
  {
    var source = ZSTD_inBuffer(src: input.baseAddress, size: input.count, pos: 0)
    var target = ZSTD_outBuffer(dst: output.baseAddress, size: output.count, pos: 0)
    let code = ZSTD_decompressStream(context, &target, &source)
    guard ZSTD_isError(code) == 0 else { return nil }
    return StreamStep(
      consumedCount: source.pos, producedCount: target.pos, endsMember: code == 0)
  }
}
