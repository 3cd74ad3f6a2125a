/// The RMS norm over each head's channels of queries or keys (`q_norm`, `k_norm` of Qwen3), or over
/// those of all heads (OLMo 2).
struct HeadNorm {
  /// [head dimension], of all heads; or [all heads' channels].
  let weight: [Float]
  let epsilon: Float

  private typealias Lanes = SIMD8<Float>

  /// x ← x · weight / sqrt(mean(x²) + epsilon) for every head of a block [rows, heads · d].
  func normalize(_ x: UnsafeMutablePointer<Float>, stride: Int, rows: Int, heads: Int) {
    weight.withUnsafeBufferPointer { weight in
      for row in 0..<rows {
        for head in 0..<heads {
          normalize(x + row * stride + head * weight.count, weight.baseAddress!)
        }
      }
    }
  }

  private func normalize(_ x: UnsafeMutablePointer<Float>, _ weight: UnsafePointer<Float>) {
    let count = self.weight.count
    let scale = 1 / (squareSum(x, count) / Float(count) + epsilon).squareRoot()
    for channel in 0..<count { x[channel] *= scale * weight[channel] }
  }

  /// In lanes: a chain of additions would wait for each one.
  private func squareSum(_ x: UnsafeMutablePointer<Float>, _ count: Int) -> Float {
    let raw = UnsafeRawPointer(x)
    let laneBytes = MemoryLayout<Lanes>.size
    var lanes = Lanes.zero
    for vector in 0..<count / Lanes.scalarCount {
      let values = raw.loadUnaligned(fromByteOffset: vector * laneBytes, as: Lanes.self)
      lanes += values * values
    }
    var sum = lanes.sum()
    for channel in count / Lanes.scalarCount * Lanes.scalarCount..<count {
      sum += x[channel] * x[channel]
    }
    return sum
  }
}
