internal import CKernels

/// Causal attention of one head over one sample (flash attention, arXiv 2205.14135; f32).
public enum CausalAttention {
  /// A matrix [tokens, headDimension] whose rows are `stride` floats apart.
  public struct Head {
    let start: UnsafePointer<Float>
    let stride: Int

    public init(start: UnsafePointer<Float>, stride: Int) {
      self.start = start
      self.stride = stride
    }
  }

  /// out[t] = Σ softmax(q[t] · k[0…t] / √headDimension) v[0…t].
  ///
  /// - Parameter scratch: ``scratchByteCount(tokens:headDimension:)`` bytes of the calling thread.
  public static func attend(
    query: Head, key: Head, value: Head, to out: UnsafeMutablePointer<Float>, stride: Int,
    tokens: Int, headDimension: Int, scratch: UnsafeMutablePointer<Float>
  ) {
    let scale = 1 / Float(headDimension).squareRoot()
    flap_attention(
      query.start, query.stride, key.start, key.stride, value.start, value.stride, out, stride,
      tokens, headDimension, scale, scratch)
  }

  public static func scratchByteCount(tokens: Int, headDimension: Int) -> Int {
    ScratchBuffer.roundedByteCount(flap_attention_scratch(tokens, headDimension) * 4)
  }
}
