import LeastSquares
import Testing

struct CholeskyTests {
  /// Less than a block, whole blocks, and a ragged last one.
  static let sizes = [1, 2, 31, 128, 129, 300]

  @Test("A⁻¹·A = 1", arguments: sizes)
  func inverse(n: Int) throws {
    let a = Matrix.definite(n)
    let inverse = try Cholesky(factoring: a.copy(), on: algebra()).invertLower().mirrored()
    let identity = Matrix.product(inverse, transposed: a)
    for i in 0..<n { identity[i, i] -= 1 }
    // n roundings of 2⁻⁵³, and the condition of about 100, twice.
    #expect(largest(identity.numbers) < 1e-11)
  }

  @Test("every row solved gives itself back", arguments: sizes, [1, 5, 300])
  func solve(n: Int, rows: Int) throws {
    let a = Matrix.definite(n)
    let x = Matrix.random(rows, n, seed: 2)
    let right = Matrix.product(x, transposed: a)
    try Cholesky(factoring: a.copy(), on: algebra()).solve(rows: right)
    #expect(largestDifference(right.numbers, x.numbers) < 1e-11)
  }

  @Test("what is above the diagonal is not read")
  func lowerTriangleOnly() throws {
    let a = Matrix.definite(200)
    let x = Matrix.random(3, 200, seed: 3)
    let (whole, lower) = (x.copy(), x.copy())
    try Cholesky(factoring: a.copy(), on: algebra()).solve(rows: whole)
    for row in 0..<200 { for column in row + 1..<200 { a[row, column] = .nan } }
    try Cholesky(factoring: a, on: algebra()).solve(rows: lower)
    #expect(whole.bits == lower.bits)
  }

  @Test("the same bits from any number of threads", arguments: [2, 3, 8])
  func threads(count: Int) throws {
    func results(_ threads: Int) throws -> [[UInt64]] {
      let x = Matrix.random(100, 700, seed: 4)
      try Cholesky(factoring: .definite(700), on: algebra(threads)).solve(rows: x)
      let inverse = try Cholesky(factoring: .definite(700), on: algebra(threads)).invertLower()
      return [x.bits, inverse.mirrored().bits]
    }
    #expect(try results(1) == results(count))
  }

  @Test("a matrix that is not positive definite is refused by its pivot", arguments: [0, 127, 299])
  func refused(pivot: Int) {
    for value in [-1, 0, Double.nan] {
      let a = Matrix.definite(300)
      a[pivot, pivot] = value
      #expect(throws: LeastSquaresError.notPositiveDefinite(pivot: pivot)) {
        try Cholesky(factoring: a, on: algebra())
      }
    }
  }

  @Test("a singular matrix is refused, though rounding leaves its pivot above zero")
  func singular() {
    let v = Matrix.random(200, 150, seed: 5)
    let a = Matrix.product(v, transposed: v)
    #expect(throws: LeastSquaresError.notPositiveDefinite(pivot: 150)) {
      try Cholesky(factoring: a, on: algebra())
    }
  }
}
