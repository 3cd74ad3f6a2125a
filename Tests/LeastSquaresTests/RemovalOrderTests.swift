import LeastSquares
import Testing

struct RemovalOrderTests {
  @Test(
    "orders and errors as numpy has them, from solves of their own", arguments: GoldenFixture.names)
  func golden(name: String) throws {
    let fixture = try GoldenFixture.load(name)
    for expected in fixture.orders {
      try fixture.withWeight { weight in
        let found = try RemovalOrder(
          of: weight, unitWidth: expected.width, batch: expected.batch,
          from: Covariance(fixture.statistics), ridge: expected.ridge, on: algebra())
        #expect(found.order == expected.order)
        #expect(found.ridge == expected.ridge)
        // Updates of H lose 1 / λ of its precision at most.
        let tolerance = 1e-12 / expected.ridge * largest(expected.errors)
        #expect(largestDifference(found.errors, expected.errors) <= tolerance)
      }
    }
  }

  @Test("the error of the last unit left is that of the fit that keeps it alone")
  func errorOfFit() throws {
    let fixture = try GoldenFixture.load("neurons")
    let covariance = Covariance(fixture.statistics)
    try fixture.withWeight { weight in
      let found = try RemovalOrder(
        of: weight, unitWidth: 1, batch: 1, from: covariance, ridge: 1e-9, on: algebra())
      for count in [1, 7, 30] {
        let fit = try LeastSquaresFit(
          of: weight, keeping: found.kept(count), from: covariance, ridge: 1e-9, on: algebra())
        let error = try fit.error(of: weight, on: covariance, with: algebra())
        // A ridge of 10⁻⁹ adds little to the error.
        #expect(abs(found.errors[40 - count] - error) <= 1e-5 * error)
      }
    }
  }

  @Test("of equals the lower index stays longer", arguments: [1, 3, 16], [1, 2])
  func ties(batch: Int, width: Int) throws {
    let channels = 24
    let c = Matrix(rows: channels, columns: channels)
    for i in 0..<channels { c[i, i] = 1 }
    let ones = WeightRows(outputCount: 3, channelCount: channels) { _, to in
      for channel in 0..<channels { to[channel] = 1 }
    }
    let found = try RemovalOrder(
      of: ones, unitWidth: width, batch: batch,
      from: Covariance(
        tokenCount: 9, mean: Array(repeating: 1, count: channels), matrix: c), ridge: 1e-3,
      on: algebra())
    #expect(found.order == (0..<channels / width).reversed())
  }

  /// Channels 2n and 2n + 1 are almost the same, and each pair weighs more than the one before.
  @Test("of a pair that says the same one goes early, the other late, in batches, too")
  func twins() throws {
    let channels = 32
    let c = Matrix(rows: channels, columns: channels)
    for i in 0..<channels {
      c[i, i] = 1
      c[i, i ^ 1] = 0.999
    }
    let weight = WeightRows(outputCount: 1, channelCount: channels) { _, to in
      for channel in 0..<channels { to[channel] = Float(1 + channel / 2) }
    }
    let found = try RemovalOrder(
      of: weight, unitWidth: 1, batch: 8,
      from: Covariance(
        tokenCount: 9, mean: Array(repeating: 0, count: channels), matrix: c), ridge: 1e-6,
      on: algebra())
    let first = found.order.prefix(16).map { $0 / 2 }
    #expect(Set(first).count == 16)
  }

  @Test("constant channels go first, for nothing; one unit always stays")
  func constants() throws {
    let nothing = Covariance(
      tokenCount: 9, mean: [1, 2, 3, 4], matrix: Matrix(rows: 4, columns: 4))
    for (width, order) in [(1, [3, 2, 1, 0]), (2, [1, 0]), (4, [0])] {
      let found = try RemovalOrder(
        of: weightRows(3, 4, seed: 1), unitWidth: width, batch: 2, from: nothing, ridge: 1e-3,
        on: algebra())
      #expect(found.order == order)
      #expect(found.errors == order.map { _ in 0 })
      #expect(found.kept(1) == order.indices.map { $0 == 0 })
    }
  }

  @Test("what does not factor gets a larger ridge, and says so")
  func raisedRidge() throws {
    let c = Matrix(rows: 2, columns: 2, [1, 1, 1, 1])
    let found = try RemovalOrder(
      of: weightRows(3, 2, seed: 1), unitWidth: 1, batch: 1,
      from: Covariance(tokenCount: 9, mean: [0, 0], matrix: c), ridge: 0, on: algebra())
    #expect(found.ridge == 1e-6)
  }

  @Test("the same order and bits from any number of threads", arguments: [1, 5])
  func threads(width: Int) throws {
    let channels = 300
    let covariance = Covariance(
      tokenCount: 9, mean: Array(repeating: 0, count: channels),
      matrix: .definite(channels, seed: 12))
    let orders = try [1, 2, 3].map { threads in
      try RemovalOrder(
        of: weightRows(290, channels, seed: 13), unitWidth: width, batch: 16, from: covariance,
        ridge: 1e-4, on: algebra(threads))
    }
    for other in orders[1...] {
      #expect(other.order == orders[0].order)
      #expect(other.errors.map(\.bitPattern) == orders[0].errors.map(\.bitPattern))
    }
    #expect(orders[0].order.sorted() == Array(0..<channels / width))
    #expect(zip(orders[0].errors, orders[0].errors.dropFirst()).allSatisfy { $0 <= $1 })
  }
}
