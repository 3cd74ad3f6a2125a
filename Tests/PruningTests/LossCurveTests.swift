import FlapCore
import Pruning
import Testing

@Suite struct LossCurveTests {
  private func losses(_ errors: [Double], _ measured: [(kept: Int, loss: Double)]) -> [Double] {
    let curve = LossCurve(
      errors: errors, measured: measured.map { LossCurve.Level(kept: $0.kept, loss: $0.loss) })
    do {
      try curve.validate(layer: 0, tap: .mlpDown)
    } catch {
      Issue.record("\(error)")
    }
    return curve.losses
  }

  /// Eight units; without 0, 1, … 7 of them the error is 0, 1, 2, 4, 8, 16, 24, 32, so that with 1,
  /// 2, … 8 kept it is 32, 24, 16, 8, 4, 2, 1, 0.
  private let errors: [Double] = [0, 1, 2, 4, 8, 16, 24, 32]

  @Test("Between two levels the error curve decides, below the least it goes on")
  func interpolation() {
    // From 6 kept (error 2) to 3 kept (error 16): 0.5 + (E − 2) / 14 · 3.5; above 6: E / 2 · 0.5;
    // below 3: 4 · E / 16.
    #expect(
      losses(errors, [(3, 4), (6, 0.5)]) == [8, 6, 4, 2, 1, 0.5, 0.25, 0])
    #expect(losses(errors, [(6, 0.5), (3, 4)]) == [8, 6, 4, 2, 1, 0.5, 0.25, 0])
  }

  @Test("One level alone is measured against all units")
  func oneLevel() {
    #expect(losses(errors, [(4, 16)]) == [64, 48, 32, 16, 8, 4, 2, 0])
    #expect(losses(errors, [(1, 32)]) == [32, 24, 16, 8, 4, 2, 1, 0])
    #expect(losses(errors, [(7, 3)]) == [96, 72, 48, 24, 12, 6, 3, 0])
  }

  @Test("Where the error does not change, the loss is linear, and stays where nothing is known")
  func flatErrors() {
    #expect(losses([0, 0, 0, 0, 0], [(2, 3)]) == [3, 3, 2, 1, 0])
    #expect(losses([0, 1, 4, 4, 4], [(1, 7), (3, 1)]) == [7, 4, 1, 0.25, 0])
    // A curve that does not begin with 0: E(b) counts.
    #expect(losses([2, 3, 4, 6, 8], [(3, 1)]) == [2, 1.5, 1, 0.5, 0])
  }

  @Test("Measured losses are made monotone from the full side, none below 0")
  func monotoneLevels() {
    // With 2 kept it seems better than with 6: it is not. With 7 kept it seems to gain.
    #expect(
      losses(errors, [(2, 0.25), (6, 0.5), (7, -1)]) == [2 / 3.0, 0.5, 0.5, 0.5, 0.5, 0.5, 0, 0])
    // Nothing lost at the least level: nothing below, though errors grow.
    #expect(losses(errors, [(4, -2)]) == Array(repeating: 0, count: 8))
  }

  @Test("Errors are made monotone, none below 0")
  func monotoneErrors() {
    #expect(losses([-1, -2, 2, 1, 4], [(1, 4)]) == [4, 2, 2, 0, 0])
  }

  @Test("A module of one unit cannot lose any")
  func oneUnit() {
    #expect(losses([0], []) == [0])
  }

  @Test("Extreme numbers stay finite")
  func extremes() {
    let tiny = Double.leastNonzeroMagnitude
    let huge = Double.greatestFiniteMagnitude
    #expect(losses([0, tiny, huge], [(2, 1)]) == [1e100, 1, 0])
    #expect(losses([0, tiny, huge], [(2, 0)]) == [0, 0, 0])
    #expect(losses([0, 1, 2], [(1, huge), (2, -huge)]) == [1e100, 0, 0])
  }

  @Test("Losses never rise with what is kept, and levels are met", arguments: 0..<40)
  func monotone(seed: Int) {
    var random = RandomCurves(seed: UInt64(seed))
    let module = random.next(units: 1 + seed * 7 % 90, levels: 1 + seed % 6)
    let losses = module.losses
    #expect(losses.count == module.unitCount)
    #expect(losses.last == 0)
    #expect(zip(losses, losses.dropFirst()).allSatisfy { $0 >= $1 })
    var least = 0.0
    for level in module.measured.reversed() {
      least = max(least, level.loss)
      #expect(losses[level.kept - 1] == least)
    }
  }

  @Test("What cannot be used is refused in one line")
  func refusals() {
    func error(_ errors: [Double], _ measured: [(Int, Double)], tap: Tap = .mlpDown) -> String? {
      let curve = LossCurve(
        errors: errors, measured: measured.map { LossCurve.Level(kept: $0.0, loss: $0.1) })
      do throws(PruningError) {
        try curve.validate(layer: 3, tap: tap)
        return nil
      } catch {
        return "\(error)"
      }
    }
    #expect(error(errors, [(3, 1), (5, 0)]) == nil)
    #expect(
      error([0, .nan], [(1, 1)])
        == "The error of model.layers.3.mlp.down_proj without 1 of its units is not finite; check "
        + "the model's weights and the statistics.")
    for loss in [Double.nan, .infinity, -.infinity] {
      #expect(
        error(errors, [(5, 1), (3, loss)], tap: .attentionOutput)
          == "The loss measured with 3 units of model.layers.3.self_attn.o_proj is not finite; "
          + "check the model's weights and the samples.")
    }
    #expect(
      error(errors, [])
        == "No loss was measured with fewer units of model.layers.3.mlp.down_proj than it has; "
        + "measure at least one count.")
    for kept in [-1, 0, 8, 9] {
      #expect(
        error(errors, [(kept, 1)])
          == "The loss with \(kept) of the 8 units of model.layers.3.mlp.down_proj was measured "
          + "twice or cannot be; measure counts from 1 to 7, each once.")
    }
    #expect(error(errors, [(4, 1), (2, 3), (4, 1)])?.contains("loss with 4 of the 8") == true)
    #expect(error([], [(0, 1)]) != nil)
  }
}
