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

  // MARK: On the way

  private struct Seen {
    var units: [Int]
    var channels: [Int]
    var weight: Matrix
    var bias: [Double]

    init(_ stage: RemovalStage) {
      units = stage.keptUnits
      channels = stage.keptChannels
      bias = stage.addedBias
      weight = Matrix(rows: bias.count, columns: channels.count)
      for row in 0..<weight.rows {
        stage.readRow(row, to: weight.values + row * weight.columns)
      }
    }
  }

  @Test(
    "what is left on the way is the fit of what is left, and looking changes no bit",
    arguments: GoldenFixture.names)
  func stages(name: String) throws {
    let fixture = try GoldenFixture.load(name)
    let covariance = Covariance(fixture.statistics)
    for order in fixture.orders {
      try fixture.withWeight { weight in
        func remove(
          visiting counts: [Int], _ visit: (RemovalStage) throws -> Void
        ) throws -> RemovalOrder {
          try RemovalOrder(
            of: weight, unitWidth: order.width, batch: order.batch, from: covariance,
            ridge: order.ridge, on: algebra(), visiting: counts, visit)
        }
        let unseen = try remove(visiting: []) { _ in Issue.record("nobody asked") }
        let unitCount = fixture.channelCount / order.width
        var seen: [Seen] = []
        let found = try remove(visiting: Array(1...unitCount)) { seen.append(Seen($0)) }
        #expect(found.order == unseen.order)
        #expect(found.errors.map(\.bitPattern) == unseen.errors.map(\.bitPattern))
        #expect(seen.map(\.units.count) == (1...unitCount).reversed())
        for stage in seen {
          let kept = found.kept(stage.units.count)
          #expect(stage.units == kept.indices.filter { kept[$0] })
          let flags = (0..<fixture.channelCount).map { kept[$0 / order.width] }
          let fit = try LeastSquaresFit(
            of: weight, keeping: flags, from: covariance, ridge: found.ridge, on: algebra())
          #expect(stage.channels == fit.keptChannels)
          // Updates of H lose 1 / λ of its precision at most.
          let tolerance = 1e-12 / order.ridge
          let largestWeight = largest(fit.weight.numbers)
          #expect(
            largestDifference(stage.weight.numbers, fit.weight.numbers)
              <= tolerance * largestWeight)
          let largestTerm = largestWeight * largest(covariance.mean)
          #expect(largestDifference(stage.bias, fit.bias) <= tolerance * largestTerm)
        }
      }
    }
  }

  @Test("what a visit throws ends the removal")
  func thrown() throws {
    struct Enough: Error {}
    var count = 0
    #expect(throws: Enough.self) {
      try RemovalOrder(
        of: weightRows(3, 24, seed: 1), unitWidth: 1, batch: 8,
        from: Covariance(
          tokenCount: 9, mean: Array(repeating: 0, count: 24), matrix: .definite(24)), ridge: 1e-3,
        on: algebra(), visiting: [20, 12, 3]
      ) { stage in
        count += 1
        if stage.keptUnits.count == 12 { throw Enough() }
      }
    }
    #expect(count == 2)
  }

  @Test("the same weights on the way from any number of threads", arguments: [1, 5])
  func threadsOfStages(width: Int) throws {
    let channels = 300
    let covariance = Covariance(
      tokenCount: 9, mean: (0..<channels).map { Double($0) / 100 },
      matrix: .definite(channels, seed: 12))
    let counts = [channels / width - 1, 41, 17]
    let all = try [1, 2, 3].map { threads in
      var seen: [Seen] = []
      _ = try RemovalOrder(
        of: weightRows(290, channels, seed: 13), unitWidth: width, batch: 16, from: covariance,
        ridge: 1e-4, on: algebra(threads), visiting: counts
      ) { seen.append(Seen($0)) }
      return seen
    }
    for other in all[1...] {
      #expect(other.map(\.channels) == all[0].map(\.channels))
      #expect(other.map(\.weight.bits) == all[0].map(\.weight.bits))
      #expect(other.map { $0.bias.map(\.bitPattern) } == all[0].map { $0.bias.map(\.bitPattern) })
    }
    #expect(all[0].count == counts.count)
  }
}
