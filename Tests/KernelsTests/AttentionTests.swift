import FlapCore
import Foundation
import Kernels
import Testing

/// Attention on tiles against the formula in f64, over sizes around panels, tiles and blocks.
struct AttentionTests {
  static let formats: [ComputeType] = [.float32, .bfloat16]

  @Test(
    "one head among others", arguments: formats, [1, 5, 16, 17, 63, 64, 65, 255, 300, 530])
  func tokens(compute: ComputeType, tokens: Int) throws { try check(compute, tokens, 64) }

  @Test("dimensions of heads", arguments: formats, [2, 10, 16, 80, 96, 128, 160])
  func dimensions(compute: ComputeType, headDimension: Int) throws {
    try check(compute, 77, headDimension)
  }

  @Test("scores of some hundreds neither overflow nor vanish", arguments: formats)
  func largeScores(compute: ComputeType) throws { try check(compute, 290, 64, scale: 40) }

  @Test(
    "windows within a panel, over panels, over blocks of keys; of all tokens and more",
    arguments: formats, [1, 2, 15, 16, 17, 33, 64, 255, 256, 257, 270, 599, 600, 10_000])
  func windows(compute: ComputeType, window: Int) throws {
    try check(compute, 600, 24, window: window)
    try check(compute, 37, 10, window: window)
  }

  @Test("the window of all tokens changes no bit", arguments: formats)
  func wholeWindow(compute: ComputeType) throws {
    let whole = try Head(compute: compute, tokens: 300, headDimension: 24).attend(cutAt: [])
    let windowed = Head(compute: compute, tokens: 300, headDimension: 24, window: 300)
    #expect(try windowed.attend(cutAt: []).map(\.bitPattern) == whole.map(\.bitPattern))
  }

  private func check(
    _ compute: ComputeType, _ tokens: Int, _ headDimension: Int, window: Int? = nil,
    scale: Float = 4
  ) throws {
    let head = Head(
      compute: compute, tokens: tokens, headDimension: headDimension, window: window, scale: scale)
    let out = try head.attend(cutAt: [])
    // Operands are what the format holds; f32 sums and exponentials round by some 2⁻²² of scores
    // of at most some hundreds. In bf16 every weight is rounded by up to 2⁻⁹ of itself, the
    // weights' sum is 1 and values are at most 1.
    let rounding = compute == .bfloat16 ? 0x1p-9 : 0
    let tolerance = rounding + 5e-6 * Double(max(scale * scale / 16, 1))
    for token in 0..<tokens {
      let row = out[token * head.stride..<(token + 1) * head.stride]
      let expected = head.reference(token)
      let worst = zip(row.dropFirst(headDimension), expected).map { abs(Double($0) - $1) }.max()!
      #expect(worst <= tolerance, "token \(token)")
      #expect(
        row.prefix(headDimension).allSatisfy(\.isNaN)
          && row.suffix(headDimension).allSatisfy(\.isNaN),
        "other heads are left alone")
    }
  }

  @Test(
    "neither packing in pieces nor cutting queries changes a bit", arguments: formats,
    [(33, 10, nil), (50, 64, nil), (300, 24, nil), (50, 10, 7), (600, 24, 40), (600, 24, 270)])
  func pieces(compute: ComputeType, size: (tokens: Int, headDimension: Int, window: Int?)) throws {
    let (tokens, headDimension, window) = size
    let head = Head(
      compute: compute, tokens: tokens, headDimension: headDimension, window: window)
    let whole = try head.attend(cutAt: [])
    for cuts in [
      [16], [32], [16, 32], [1, 2, 5, 31], Array(stride(from: 16, to: tokens, by: 16)),
    ] {
      #expect(try head.attend(cutAt: cuts).map(\.bitPattern) == whole.map(\.bitPattern))
    }
  }

  @Test(
    "a value that is not finite is seen by its token's queries and all later ones",
    arguments: formats, CausalAttention.Operand.allCases)
  func notFinite(compute: ComputeType, operand: CausalAttention.Operand) throws {
    var head = Head(compute: compute, tokens: 290, headDimension: 16)
    head.poison(operand, token: 70)
    let out = try head.attend(cutAt: [])
    for token in 70..<(operand == .query ? 71 : 290) {
      #expect(!out[token * head.stride + 16].isFinite)
    }
    // A block of queries ends with its last one's key: what comes after is not looked at.
    #expect(out[16 + 63 * head.stride].isFinite)
  }

  @Test("nor by those whose window begins blocks later", arguments: formats)
  func notFiniteBeforeWindow(compute: ComputeType) throws {
    var head = Head(compute: compute, tokens: 700, headDimension: 16, window: 40)
    head.poison(.value, token: 70)
    let out = try head.attend(cutAt: [])
    #expect(!out[109 * head.stride + 16].isFinite)
    #expect(out[600 * head.stride + 16].isFinite)
  }
}

/// The middle one of three heads, with random rows.
private struct Head {
  let attention: CausalAttention
  private var rows: [CausalAttention.Operand: [Float]] = [:]

  var tokens: Int { attention.tokens }
  var headDimension: Int { attention.headDimension }
  var stride: Int { 3 * headDimension }

  init(
    compute: ComputeType, tokens: Int, headDimension: Int, window: Int? = nil, scale: Float = 4
  ) {
    attention = CausalAttention(
      compute: compute, tokens: tokens, headDimension: headDimension, window: window)
    let count = tokens * stride
    rows[.query] = numbers(count, seed: 1).map { $0 * scale }
    rows[.key] = numbers(count, seed: 2).map { $0 * scale }
    rows[.value] = numbers(count, seed: 3)
  }

  mutating func poison(_ operand: CausalAttention.Operand, token: Int) {
    rows[operand]![token * stride + headDimension] = .nan
  }

  /// Packs blocks between the cuts, last block first, and attends from every cut that may begin
  /// a block of queries.
  func attend(cutAt cuts: [Int]) throws -> [Float] {
    let buffers = try CausalAttention.Operand.allCases.map { operand in
      // What an earlier sample left behind must not matter: NaN in both formats.
      let tiles = try ScratchBuffer(byteCount: attention.byteCount(of: operand))
      memset(tiles.bytes, 0xFF, tiles.byteCount)
      let ends = cuts.filter { $0 < tokens } + [tokens]
      for (first, end) in zip([0] + ends, ends).reversed() {
        rows[operand]!.withUnsafeBufferPointer {
          attention.pack(
            operand, $0.baseAddress! + first * stride + headDimension, stride: stride,
            at: first..<end, to: tiles.bytes)
        }
      }
      return tiles
    }
    let scratch = try ScratchBuffer(byteCount: attention.scratchByteCount)
    memset(scratch.bytes, 0xFF, scratch.byteCount)
    var out = [Float](repeating: .nan, count: tokens * stride)
    let ends =
      cuts.filter { $0 < tokens && $0 % CausalAttention.queryGranule == 0 } + [tokens]
    for (first, end) in zip([0] + ends, ends) {
      out.withUnsafeMutableBufferPointer {
        attention.attend(
          query: buffers[0].bytes, key: buffers[1].bytes, value: buffers[2].bytes,
          queries: first..<end, to: $0.baseAddress! + first * stride + headDimension,
          stride: stride, scratch: scratch.bytes)
      }
    }
    return out
  }

  /// The formula in f64, of operands rounded to the format.
  func reference(_ token: Int) -> [Double] {
    let query = row(.query, token)
    let first = max(0, token + 1 - (attention.window ?? tokens))
    let scores = (first...token).map { other in
      zip(query, row(.key, other)).reduce(0) { $0 + $1.0 * $1.1 }
        / Double(headDimension).squareRoot()
    }
    let top = scores.max()!
    let weights = scores.map { exp($0 - top) }
    let sum = weights.reduce(0, +)
    var out = [Double](repeating: 0, count: headDimension)
    for (other, weight) in weights.enumerated() {
      for (d, value) in row(.value, first + other).enumerated() { out[d] += weight / sum * value }
    }
    return out
  }

  private func row(_ operand: CausalAttention.Operand, _ token: Int) -> [Double] {
    let first = token * stride + headDimension
    return rows[operand]![first..<first + headDimension].map {
      Double(attention.compute == .bfloat16 ? roundedToBFloat16($0) : $0)
    }
  }
}

/// To nearest even; of numbers that are finite.
func roundedToBFloat16(_ x: Float) -> Float {
  let bits = x.bitPattern
  return Float(bitPattern: (bits + 0x7FFF + (bits >> 16 & 1)) & 0xFFFF_0000)
}
