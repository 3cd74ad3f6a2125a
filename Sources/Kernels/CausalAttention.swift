internal import CKernels
public import FlapCore

/// Causal attention of one head over one sample (flash attention, arXiv 2205.14135) on
/// operand tiles: queries, keys and values are packed piece by piece as they are computed, and no
/// matrix [tokens, tokens] is ever in memory (`flap_attention`).
///
/// Operands, the softmax weights too, are of the products' format; sums and exponentials are f32.
public struct CausalAttention: Sendable {
  public let compute: ComputeType
  /// Tokens of the sample.
  public let tokens: Int
  public let headDimension: Int
  /// Keys that a query sees at most, its own included; nil: all up to its own.
  public let window: Int?
  /// What products of queries and keys are divided by.
  public let divisor: Double

  /// What operand tiles hold.
  public enum Operand: Sendable, CaseIterable {
    case query, key, value
  }

  /// - Parameter scale: what products of queries and keys are multiplied by; nil: 1 / √headDimension.
  /// - Precondition: tokens, headDimension, window and scale are positive.
  public init(
    compute: ComputeType, tokens: Int, headDimension: Int, window: Int? = nil,
    scale: Double? = nil
  ) {
    precondition(tokens > 0 && headDimension > 0 && window ?? 1 > 0)
    self.compute = compute
    self.tokens = tokens
    self.headDimension = headDimension
    self.window = window
    divisor = scale.map { 1 / $0 } ?? Double(headDimension).squareRoot()
  }

  /// Ranges of queries begin at multiples of this many tokens; how they are cut does not change bits.
  public static var queryGranule: Int { Tile.side }

  /// Bytes of one head's operand tiles over one sample, a multiple of ``Tile/byteCount``.
  public func byteCount(of operand: Operand) -> Int {
    switch operand {
    case .query: flap_attention_query_bytes(compute.format, tokens, headDimension)
    case .key: flap_attention_key_bytes(compute.format, tokens, headDimension)
    case .value: flap_attention_value_bytes(compute.format, tokens, headDimension)
    }
  }

  /// Bytes of scratch that ``attend(query:key:value:queries:to:stride:scratch:)`` needs.
  public var scratchByteCount: Int {
    ScratchBuffer.roundedByteCount(flap_attention_scratch(compute.format, headDimension))
  }

  /// Writes some tokens of a head into its tiles. A sample may be cut anywhere and its pieces packed
  /// at once by several threads; beginnings at multiples of 16 are fast. The last token's call
  /// writes the zeros beyond the sample.
  ///
  /// - Parameters:
  ///   - x: f32 [positions.count, headDimension], `stride` floats from row to row.
  ///   - positions: in the sample.
  ///   - tiles: ``byteCount(of:)`` bytes, aligned to 64.
  /// - Precondition: they lie within the sample.
  public func pack(
    _ operand: Operand, _ x: UnsafePointer<Float>, stride: Int, at positions: Range<Int>,
    to tiles: UnsafeMutableRawPointer
  ) {
    precondition(positions.lowerBound >= 0 && positions.upperBound <= tokens)
    let format = compute.format
    let (first, count) = (positions.lowerBound, positions.count)
    switch operand {
    case .query:
      flap_attention_pack_query(format, x, stride, first, count, tokens, headDimension, tiles)
    case .key:
      flap_attention_pack_key(format, x, stride, first, count, tokens, headDimension, tiles)
    case .value:
      flap_attention_pack_value(format, x, stride, first, count, tokens, headDimension, tiles)
    }
  }

  /// out[t] = Σ softmax(q[t] · k[s…t] / divisor) v[s…t] for the queries t, f32, where s is
  /// 0 or the first key of the window, t + 1 − window.
  ///
  /// - Parameters:
  ///   - out: the row of the first query, `stride` floats from row to row.
  ///   - scratch: ``scratchByteCount`` bytes of the calling thread, aligned to 64.
  /// - Precondition: the queries lie within the sample and begin at a multiple of
  ///   ``queryGranule``.
  public func attend(
    query: UnsafeRawPointer, key: UnsafeRawPointer, value: UnsafeRawPointer, queries: Range<Int>,
    to out: UnsafeMutablePointer<Float>, stride: Int, scratch: UnsafeMutableRawPointer
  ) {
    precondition(queries.lowerBound >= 0 && queries.upperBound <= tokens)
    precondition(queries.lowerBound % CausalAttention.queryGranule == 0)
    flap_attention(
      compute.format, query, key, value, tokens, headDimension, divisor, window ?? 0,
      queries.lowerBound, queries.count, out, stride, scratch)
  }
}
