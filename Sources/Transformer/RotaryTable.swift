internal import FlapCore
internal import Glibc

/// Cosines and sines of the rotary embedding, [positions, turned channels of a head / 2] each.
///
/// Angles are computed as transformers does: inverse frequencies and their products with the
/// position in f32, so that long contexts turn by the same angles.
struct RotaryTable {
  private let cosines: [Float]
  private let sines: [Float]

  /// - Parameter amplitude: what both are multiplied by.
  init(frequencies: [Float], amplitude: Float, positions: Int) {
    var cosines: [Float] = []
    var sines: [Float] = []
    for position in 0..<positions {
      for frequency in frequencies {
        let angle = Double(Float(position) * frequency)
        cosines.append(Float(cos(angle)) * amplitude)
        sines.append(Float(sin(angle)) * amplitude)
      }
    }
    self.cosines = cosines
    self.sines = sines
  }

  /// Cosines and sines, [positions, turned channels of a head / 2] each.
  func withTable<Result>(
    _ body: (_ cosines: UnsafePointer<Float>, _ sines: UnsafePointer<Float>) -> Result
  ) -> Result {
    cosines.withUnsafeBufferPointer { cosines in
      sines.withUnsafeBufferPointer { sines in body(cosines.baseAddress!, sines.baseAddress!) }
    }
  }
}

/// The tables of a model: one for samples of every length, or, with LongRoPE, another one for samples
/// longer than the original context.
struct RotaryTables {
  private let table: RotaryTable
  private let long: (table: RotaryTable, above: Int)?
  /// Channels of each head that are turned.
  let turnedDimension: Int

  /// - Parameter positions: tokens of the longest sample.
  init(_ embedding: RotaryEmbedding, headDimension: Int, positions: Int) {
    turnedDimension = embedding.rotatedDimension ?? headDimension
    func table(_ length: Int) -> RotaryTable {
      RotaryTable(
        frequencies: embedding.inverseFrequencies(headDimension: headDimension, length: length),
        amplitude: Float(embedding.attentionFactor), positions: min(length, positions))
    }
    if case .longRope(let scaling) = embedding.scaling, positions > scaling.originalContextLength {
      self.table = table(scaling.originalContextLength)
      long = (table(positions), above: scaling.originalContextLength)
    } else {
      self.table = table(positions)
      long = nil
    }
  }

  /// - Parameter length: of the sample, in tokens.
  func callAsFunction(length: Int) -> RotaryTable {
    if let long, length > long.above { long.table } else { table }
  }
}
