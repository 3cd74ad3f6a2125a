import FlapTestKit

/// Operands that bf16 holds exactly, and their product in f64.
struct ProductSample {
  let rows, outputs, inner: Int
  let x, w: [Float]
  /// x · Wᵀ and the sum of its terms' magnitudes, `[rows, outputs]`.
  let y, magnitude: [Double]

  /// Rows, outputs, inner: single elements, whole tiles, ragged ones, an odd number of panels and
  /// of groups, and more channels than any engine takes at once.
  static let samples = [
    ProductSample(1, 1, 1), ProductSample(16, 16, 32), ProductSample(17, 33, 65),
    ProductSample(5, 100, 530), ProductSample(70, 40, 300), ProductSample(33, 18, 1100),
  ]

  init(_ rows: Int, _ outputs: Int, _ inner: Int) {
    (self.rows, self.outputs, self.inner) = (rows, outputs, inner)
    var generator = SeededGenerator(seed: UInt64(rows + inner))
    func numbers(_ count: Int) -> [Float] {
      (0..<count).map { _ in
        let number = Float.random(in: -2...2, using: &generator)
        return Float(bitPattern: number.bitPattern & 0xffff_0000)
      }
    }
    let (x, w) = (numbers(rows * inner), numbers(outputs * inner))
    var y = [Double](repeating: 0, count: rows * outputs)
    var magnitude = y
    x.withUnsafeBufferPointer { x in
      w.withUnsafeBufferPointer { w in
        for row in 0..<rows {
          for output in 0..<outputs {
            var (sum, sumOfMagnitudes) = (0.0, 0.0)
            for k in 0..<inner {
              let term = Double(x[row * inner + k]) * Double(w[output * inner + k])
              sum += term
              sumOfMagnitudes += term.magnitude
            }
            y[row * outputs + output] = sum
            magnitude[row * outputs + output] = sumOfMagnitudes
          }
        }
      }
    }
    (self.x, self.w, self.y, self.magnitude) = (x, w, y, magnitude)
  }

  func operands(_ format: ProductFormat) -> ProductOperands {
    ProductOperands(format, x: x, w: w, inner: inner)
  }
}
