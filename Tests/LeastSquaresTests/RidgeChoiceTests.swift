import LeastSquares
import Testing

struct RidgeChoiceTests {
  @Test("the ridge that errs least on held-out tokens", arguments: GoldenFixture.names)
  func least(name: String) throws {
    let fixture = try GoldenFixture.load(name)
    let algebra = algebra()
    let covariance = Covariance(fixture.statistics)
    let heldOut = Covariance(fixture.heldOut)
    try fixture.withWeight { weight in
      let all = try RidgeChoice.candidates.map { ridge in
        try LeastSquaresFit(
          of: weight, keeping: fixture.keptFlags, from: covariance, ridge: ridge, on: algebra
        ).error(of: weight, on: heldOut, with: algebra)
      }
      let choice = try RidgeChoice(
        of: weight, keeping: fixture.keptFlags, from: covariance, heldOut: heldOut, on: algebra)
      #expect(choice.ridge == RidgeChoice.candidates[all.firstIndex(of: all.min()!)!])
      #expect(!choice.isRaised)
      for (ridge, error) in choice.errors {
        #expect(error == all[RidgeChoice.candidates.firstIndex(of: ridge)!])
      }
    }
  }

  @Test("with a target, too")
  func target() throws {
    let fixture = try GoldenFixture.load("neurons")
    try fixture.withWeight { weight in
      let choice = try RidgeChoice(
        of: weight, keeping: fixture.keptFlags,
        from: Covariance(fixture.statistics, target: fixture.target),
        heldOut: Covariance(fixture.heldOut, target: fixture.heldOutTarget),
        candidates: [fixture.targetFit.ridge], on: algebra())
      #expect(choice.ridge == fixture.targetFit.ridge)
      let error = choice.errors[0].error
      #expect(abs(error - fixture.targetFit.heldOutError) <= 1e-9 * error)
    }
  }

  @Test("the same channels twice cannot be told apart without a ridge: it is raised, and says so")
  func raised() throws {
    let same = Matrix(rows: 4, columns: 4)
    for i in 0..<16 { same.values[i] = 1 }
    let covariance = Covariance(tokenCount: 9, mean: [0, 0, 0, 0], matrix: same)
    let choice = try RidgeChoice(
      of: weightRows(2, 4, seed: 3), keeping: [true, true, false, false], from: covariance,
      heldOut: covariance, candidates: [0], on: algebra())
    #expect(choice.ridge > 0 && choice.isRaised)
  }

  /// As many tokens as channels fit by heart what they have of noise.
  @Test("what few tokens do not tell wants a larger ridge", arguments: [true, false])
  func direction(fewTokens: Bool) throws {
    let channels = 30
    let real = Matrix.definite(channels, seed: 9)
    let noise = Matrix.random(channels, 2, seed: 10)
    let seen = real.copy()
    if fewTokens {
      let outer = Matrix.product(noise, transposed: noise)
      for i in 0..<channels * channels { seen.values[i] += 10 * outer.values[i] }
    }
    let mean = Array(repeating: 0.0, count: channels)
    let choice = try RidgeChoice(
      of: weightRows(4, channels, seed: 11), keeping: (0..<channels).map { $0 % 2 == 0 },
      from: Covariance(tokenCount: 30, mean: mean, matrix: seen),
      heldOut: Covariance(tokenCount: 30, mean: mean, matrix: real), on: algebra())
    #expect(fewTokens ? choice.ridge >= 1e-2 : choice.ridge == 1e-5)
    #expect(choice.errors.count <= 4)
  }
}
