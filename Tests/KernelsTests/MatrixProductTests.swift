import FlapCore
import Kernels
import Testing

/// Products against f64, for every format of weights, over ragged sizes.
struct MatrixProductTests {
  static let shapes = [
    (1, 1, 1), (3, 5, 7), (17, 33, 65), (64, 300, 48), (513, 257, 40), (40, 700, 130),
  ]

  @Test("y = x · Wᵀ + b in f32", arguments: shapes, [ElementType.bfloat16, .float16, .float32])
  func float32(shape: (rows: Int, out: Int, inner: Int), type: ElementType) throws {
    try check(shape, type, .float32, tolerance: 2e-6)
  }

  @Test("y = x · Wᵀ + b in bf16", arguments: shapes, [ElementType.bfloat16, .float16, .float32])
  func bfloat16(shape: (rows: Int, out: Int, inner: Int), type: ElementType) throws {
    // Operands that are bf16 already: then only the f32 sums round.
    try check(shape, type, .bfloat16, tolerance: 2e-6)
  }

  private func check(
    _ shape: (rows: Int, out: Int, inner: Int), _ type: ElementType, _ compute: ComputeType,
    tolerance: Double
  ) throws {
    let (rows, out, inner) = shape
    // Multiples of 1/64 up to 1 are exact in every format.
    func exact(_ count: Int, seed: UInt64) -> [Float] {
      numbers(count, seed: seed).map { ($0 * 64).rounded() / 64 }
    }
    let x = exact(rows * inner, seed: 1)
    let w = exact(out * inner, seed: 2)
    let bias = exact(out, seed: 3)
    var expected = [Double](repeating: 0, count: rows * out)
    for row in 0..<rows {
      for column in 0..<out {
        var sum = Double(bias[column])
        for k in 0..<inner { sum += Double(x[row * inner + k]) * Double(w[column * inner + k]) }
        expected[row * out + column] = sum
      }
    }
    for threads in [1, 3] {
      let product = try MatrixProduct(
        compute: compute, team: ThreadTeam(threadCount: threads), largestInner: inner)
      var y = [Float](repeating: .nan, count: rows * out)
      try encode(x, as: compute == .bfloat16 ? .bfloat16 : .float32).withUnsafeBytes { x in
        try encode(w, as: type).withUnsafeBytes { w in
          try product(
            x.baseAddress!, rows: rows,
            WeightMatrix(elementType: type, bytes: w.baseAddress!, rows: out, columns: inner),
            bias: bias, to: &y)
        }
      }
      expectClose(y, expected, tolerance: tolerance)
    }
  }

  private func encode(_ values: [Float], as type: ElementType) -> [UInt8] {
    switch type {
    case .bfloat16: values.flatMap { bytes(UInt16($0.bitPattern >> 16)) }
    case .float16: values.flatMap { bytes(Float16($0).bitPattern) }
    default: values.flatMap { bytes($0.bitPattern) }
    }
  }

  private func bytes(_ value: some FixedWidthInteger) -> [UInt8] {
    withUnsafeBytes(of: value.littleEndian) { Array($0) }
  }
}
