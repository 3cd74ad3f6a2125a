import LeastSquares
import Pruning
import Testing

struct LeastSquaresFitTests {
  /// C + λ·diag C has a condition below 100 / λ once its diagonal is 1: numpy and we differ by that
  /// many times 2⁻⁵³ at most.
  private static func tolerance(_ fit: GoldenFixture.Fit) -> Double {
    1e-12 / fit.ridge.squareRoot()
  }

  @Test("weights, bias and errors as numpy has them", arguments: GoldenFixture.names)
  func golden(name: String) throws {
    let fixture = try GoldenFixture.load(name)
    let algebra = algebra()
    for expected in fixture.fits {
      try fixture.withWeight { weight in
        let fit = try LeastSquaresFit(
          of: weight, keeping: fixture.keptFlags, from: Covariance(fixture.statistics),
          ridge: expected.ridge, on: algebra)
        try expect(fit, expected)
        #expect(
          close(
            try fit.error(of: weight, on: Covariance(fixture.statistics), with: algebra),
            expected.error))
        #expect(
          close(
            try fit.error(of: weight, on: Covariance(fixture.heldOut), with: algebra),
            expected.heldOutError))
      }
    }
  }

  @Test("another output to aim at", arguments: GoldenFixture.names)
  func target(name: String) throws {
    let fixture = try GoldenFixture.load(name)
    let algebra = algebra()
    let covariance = Covariance(fixture.statistics, target: fixture.target)
    let heldOut = Covariance(fixture.heldOut, target: fixture.heldOutTarget)
    try fixture.withWeight { weight in
      let fit = try LeastSquaresFit(
        of: weight, keeping: fixture.keptFlags, from: covariance, ridge: fixture.targetFit.ridge,
        on: algebra)
      try expect(fit, fixture.targetFit)
      #expect(
        close(
          try fit.error(of: weight, on: covariance, with: algebra), fixture.targetFit.error))
      #expect(
        close(
          try fit.error(of: weight, on: heldOut, with: algebra), fixture.targetFit.heldOutError))
    }
  }

  private func expect(_ fit: LeastSquaresFit, _ expected: GoldenFixture.Fit) throws {
    #expect(fit.ridge == expected.ridge && fit.ridgeAsked == expected.ridge)
    let tolerance = LeastSquaresFitTests.tolerance(expected)
    let difference = largestDifference(fit.weight.numbers, expected.weight)
    #expect(difference <= tolerance * largest(expected.weight))
    #expect(largestDifference(fit.bias, expected.bias) <= tolerance * 10 * largest(expected.bias))
  }

  /// Errors are sums of differences of outputs up to 1000 times as large.
  private func close(_ a: Double, _ b: Double) -> Bool { abs(a - b) <= 1e-9 * abs(b) }

  @Test("where nothing goes, nothing changes")
  func nothingPruned() throws {
    let fixture = try GoldenFixture.load("constants")
    let existing = (0..<5).map { Double($0) - 0.1 }
    try fixture.withWeight { weight in
      let fit = try LeastSquaresFit(
        of: weight, keeping: Array(repeating: true, count: fixture.channelCount),
        from: Covariance(fixture.statistics), ridge: 1e-3, existing: existing, on: algebra())
      #expect(fit.weight.numbers == fixture.weight128.map { Double($0) / 128 })
      #expect(fit.bias == existing)
      #expect(
        try fit.error(of: weight, on: Covariance(fixture.heldOut), with: algebra()) == 0)
    }
  }

  @Test("with an endless ridge it is FLAP's compensation", arguments: GoldenFixture.names)
  func endlessRidge(name: String) throws {
    let fixture = try GoldenFixture.load(name)
    let compensation = Compensation(
      mean: fixture.statistics.mean, keptChannels: fixture.keptFlags)
    let weights = fixture.weight128.map { Float($0) / 128 }
    let biases = weights.withUnsafeBufferPointer { compensation.biases(weight: $0) }
    try fixture.withWeight { weight in
      let fit = try LeastSquaresFit(
        of: weight, keeping: fixture.keptFlags, from: Covariance(fixture.statistics), ridge: 1e18,
        on: algebra())
      #expect(largestDifference(fit.bias, biases) <= 1e-13 * largest(biases))
      let kept = weights.enumerated().filter { fixture.keptFlags[$0.offset % fixture.channelCount] }
      #expect(largestDifference(fit.weight.numbers, kept.map { Double($0.element) }) < 1e-13)
    }
  }

  @Test("a kept channel that is constant keeps its weights; one that goes leaves a bias")
  func constants() throws {
    let fixture = try GoldenFixture.load("constants")
    let covariance = Covariance(fixture.statistics)
    #expect((0..<18).filter { covariance.isConstant($0) } == [3, 7, 11])
    #expect(fixture.keptFlags[3] && !fixture.keptFlags[7])
    try fixture.withWeight { weight in
      let fit = try LeastSquaresFit(
        of: weight, keeping: fixture.keptFlags, from: covariance, ridge: 1e-3, on: algebra())
      let column = fit.keptChannels.firstIndex(of: 3)!
      for row in 0..<5 {
        #expect(fit.weight[row, column] == Double(fixture.weight128[row * 18 + 3]) / 128)
      }
    }
  }

  @Test("every channel constant: the bias alone")
  func onlyConstants() throws {
    let covariance = Covariance(
      tokenCount: 10, mean: [1, 2, 3], matrix: Matrix(rows: 3, columns: 3))
    let weight: [Float] = [1, 10, 100]
    try weight.withUnsafeBufferPointer {
      let rows = WeightRows($0, channelCount: 3)
      let fit = try LeastSquaresFit(
        of: rows, keeping: [true, false, false], from: covariance, ridge: 1e-3, on: algebra())
      #expect(fit.weight.numbers == [1])
      #expect(fit.bias == [320])
      #expect(try fit.error(of: rows, on: covariance, with: algebra()) == 0)
    }
  }

  /// Two of three channels say the same.
  private static let singular = [1, 1, 0.5, 1, 1, 0.5, 0.5, 0.5, 1]

  @Test("what does not factor gets a larger ridge, and says so")
  func raisedRidge() throws {
    let covariance = Covariance(
      tokenCount: 10, mean: [0, 0, 0],
      matrix: Matrix(rows: 3, columns: 3, LeastSquaresFitTests.singular))
    let fit = try LeastSquaresFit(
      of: weightRows(4, 3, seed: 1), keeping: [true, true, false], from: covariance, ridge: 0,
      on: algebra())
    #expect(fit.ridgeAsked == 0)
    #expect(fit.ridge == 1e-6)
    let raised = try LeastSquaresFit(
      of: weightRows(4, 3, seed: 1), keeping: [true, true, false], from: covariance, ridge: 1e-17,
      on: algebra())
    #expect(raised.ridge == 1e-6)
  }

  @Test("moments that no tokens have are refused")
  func refused() {
    func fit(_ diagonal: Double, _ other: Double, tokens: Int = 10, mean: Double = 0) throws {
      let matrix = Matrix(rows: 2, columns: 2, [1, 0, 0, 1])
      (matrix[0, 0], matrix[1, 0]) = (diagonal, other)
      let covariance = Covariance(tokenCount: tokens, mean: [mean, 0], matrix: matrix)
      // The third channel goes, so that there is something to solve.
      let wide = Covariance(tokenCount: tokens, mean: covariance.mean + [0]) { row, columns, to in
        for column in columns {
          to[column - columns.lowerBound] = row == 2 ? (column == 2 ? 1 : 0.1) : matrix[row, column]
        }
      }
      _ = try LeastSquaresFit(
        of: weightRows(2, 3, seed: 1), keeping: [true, true, false], from: wide, ridge: 1e-3,
        on: algebra())
    }
    #expect(throws: LeastSquaresError.notFinite(channel: 0)) { try fit(.nan, 0) }
    #expect(throws: LeastSquaresError.notFinite(channel: 0)) { try fit(1, 0, mean: .infinity) }
    #expect(throws: LeastSquaresError.noTokens) { try fit(1, 0, tokens: 0) }
    #expect(throws: LeastSquaresError.notFactored(ridge: 100)) { try fit(1, 1e3) }
    #expect(throws: LeastSquaresError.notFactored(ridge: 100)) { try fit(1, .nan) }
  }

  /// Channels of several panels, and outputs of several parts of the error.
  @Test("the same bits from any number of threads; only the lower triangle is read")
  func threads() throws {
    let (outputs, channels) = (530, 1100)
    let v = Matrix.random(channels, 40, seed: 6)
    let covariance = Covariance(
      tokenCount: 40, mean: Matrix.random(1, channels, seed: 7).numbers
    ) { row, columns, to in
      precondition(columns.upperBound <= row + 1)
      for column in columns {
        var sum = row == column ? 1.0 : 0
        for k in 0..<40 { sum += v.values[row * 40 + k] * v.values[column * 40 + k] }
        to[column - columns.lowerBound] = sum
      }
    }
    let kept = (0..<channels).map { $0 % 40 == 0 }
    func bits(_ threads: Int) throws -> [UInt64] {
      let algebra = algebra(threads)
      let weight = weightRows(outputs, channels, seed: 8)
      let fit = try LeastSquaresFit(
        of: weight, keeping: kept, from: covariance, ridge: 1e-3, on: algebra)
      let error = try fit.error(of: weight, on: covariance, with: algebra)
      return fit.weight.bits + fit.bias.map(\.bitPattern) + [error.bitPattern]
    }
    let one = try bits(1)
    #expect(try bits(2) == one)
    #expect(try bits(3) == one)
  }
}
