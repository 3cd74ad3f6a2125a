import FlapCore
import FlapTestKit
import Pruning
import Testing

@Suite struct MeasuredAllocationTests {
  static let rules = [
    WidthRules(), WidthRules(neuronMultiple: 2), WidthRules(groupMultiple: 2),
    WidthRules(groupMultiple: 2, neuronMultiple: 3),
  ]
  static let uniformRules = [
    WidthRules(isUniform: true), WidthRules(isUniform: true, neuronMultiple: 2),
    WidthRules(isUniform: true, groupMultiple: 2),
    WidthRules(isUniform: true, headsDivideHiddenSize: true),
  ]

  /// Small models, of which every count can be tried. Hidden size 16.
  private static func smallShape(_ seed: Int) -> ModelShape {
    var generator = SeededGenerator(seed: UInt64(seed) + 1000)
    let layerCount = Int.random(in: 1...3, using: &generator)
    let headDimension = [1, 2, 4].randomElement(using: &generator) ?? 1
    return testShape(
      headDimension: headDimension,
      layers: (0..<layerCount).map { _ in
        let groups = Int.random(in: 2...4, using: &generator)
        let width = Int.random(in: 1...2, using: &generator)
        return (groups * width, groups, Int.random(in: 3...7, using: &generator))
      })
  }

  private static func cost(_ counts: [PerTap<Int>], _ shape: ModelShape) -> Int {
    counts.indices.reduce(0) { sum, layer in
      Tap.allCases.reduce(sum) {
        $0 + counts[layer][$1] * shape.unitCost(layer: layer, tap: $1)
      }
    }
  }

  private static func total(_ shape: ModelShape) -> Int {
    shape.decoderParameterCount / shape.hiddenSize
  }

  private static func loss(_ counts: [PerTap<Int>], _ losses: [PerTap<[Double]>]) -> Double {
    counts.indices.reduce(0) { sum, layer in
      Tap.allCases.reduce(sum) { $0 + losses[layer][$1][counts[layer][$1] - 1] }
    }
  }

  /// All counts that obey the rules, those of uniform counts but for the heads' number aside.
  private static func everyCount(_ shape: ModelShape, _ widths: WidthRules) -> [[PerTap<Int>]] {
    shape.layers.reduce([[]]) { counts, layer in
      let groups = stride(
        from: widths.groupMultiple, through: layer.keyValueHeadCount, by: widths.groupMultiple)
      let neurons = stride(
        from: widths.neuronMultiple, through: layer.intermediateSize, by: widths.neuronMultiple)
      return counts.flatMap { counts in
        groups.flatMap { groups in
          neurons.map { counts + [PerTap(attentionOutput: groups, mlpDown: $0)] }
        }
      }
    }
  }

  /// What must hold of any answer.
  private static func check(
    _ found: AllocatedCounts, _ shape: ModelShape, _ losses: [PerTap<[Double]>], ratio: Double,
    _ widths: WidthRules
  ) {
    #expect(Double(cost(found.counts, shape)) <= Double(total(shape)) * (1 - ratio) + 1e-9)
    #expect(abs(found.loss - loss(found.counts, losses)) <= 1e-12 * max(1, found.loss))
    for (counts, layer) in zip(found.counts, shape.layers) {
      #expect((1...layer.keyValueHeadCount).contains(counts.attentionOutput))
      #expect((1...layer.intermediateSize).contains(counts.mlpDown))
      if found.loss > 0 || ratio > 0 {
        #expect(counts.attentionOutput % widths.groupMultiple == 0)
        #expect(counts.mlpDown % widths.neuronMultiple == 0)
      }
    }
  }

  @Test("No counts lose less within the budget", arguments: rules)
  func optimum(widths: WidthRules) throws {
    var solved = 0
    for seed in 0..<150 {
      let shape = Self.smallShape(seed)
      var random = RandomCurves(seed: UInt64(seed))
      let curves = random.layers(of: shape, levels: 1 + seed % 4)
      let losses = curves.map { $0.map(\.losses) }
      let everyCount = Self.everyCount(shape, widths)
      for ratio in [0.1, 0.3, 0.5, 0.7] {
        let budget = Double(Self.total(shape)) * (1 - ratio) + 1e-9
        let fitting = everyCount.filter { Double(Self.cost($0, shape)) <= budget }
        let allocation = MeasuredAllocation(ratio: ratio, widths: widths)
        do throws(PruningError) {
          let found = try allocation.run(curves: curves, shape: shape)
          Self.check(found, shape, losses, ratio: ratio, widths)
          let least = fitting.map { Self.loss($0, losses) }.min() ?? .infinity
          #expect(abs(found.loss - least) <= 1e-12, "seed \(seed), ratio \(ratio)")
          let again = try allocation.run(curves: curves, shape: shape)
          #expect(again == found)
          solved += 1
        } catch {
          // Nothing fits, or not even the largest counts come within a step.
          let largest = fitting.map { Self.cost($0, shape) }.max()
          let step = shape.layers.indices.reduce(3 * widths.neuronMultiple) {
            max($0, shape.unitCost(layer: $1, tap: .attentionOutput) * widths.groupMultiple)
          }
          #expect(
            largest.map { Int(budget) - $0 > step } ?? true, "\(error) seed \(seed), ratio \(ratio)"
          )
        }
      }
    }
    #expect(solved > 200, "\(solved)")
  }

  @Test("Uniform counts: no pair of counts near the ratio loses less", arguments: uniformRules)
  func uniformOptimum(widths: WidthRules) throws {
    var solved = 0
    for seed in 0..<150 {
      var generator = SeededGenerator(seed: UInt64(seed))
      let headDimension = [1, 2].randomElement(using: &generator) ?? 1
      let width = Int.random(in: 1...2, using: &generator)
      let shape = testShape(
        headDimension: headDimension,
        layers: (0..<3).map { _ in
          let groups = Int.random(in: 4...8, using: &generator)
          return (groups * width, groups, Int.random(in: 12...16, using: &generator))
        })
      var random = RandomCurves(seed: UInt64(seed))
      let curves = random.layers(of: shape, levels: 2)
      let losses = curves.map { $0.map(\.losses) }
      let step = 3 * 3 * widths.neuronMultiple
      for ratio in [0.1, 0.3, 0.5, 0.7] {
        let budget = Double(Self.total(shape)) * (1 - ratio) + 1e-9
        var least = Double.infinity
        for groups in 1...8 where groups % widths.groupMultiple == 0 {
          guard shape.layers.allSatisfy({ groups <= $0.keyValueHeadCount }) else { continue }
          if widths.headsDivideHiddenSize, 16 % (groups * width) != 0 { continue }
          for neurons in 1...16 where neurons % widths.neuronMultiple == 0 {
            guard shape.layers.allSatisfy({ neurons <= $0.intermediateSize }) else { continue }
            let counts = Array(
              repeating: PerTap(attentionOutput: groups, mlpDown: neurons), count: 3)
            let cost = Double(Self.cost(counts, shape))
            guard cost <= budget, budget.rounded(.down) - cost <= Double(step) else { continue }
            least = min(least, Self.loss(counts, losses))
          }
        }
        do throws(PruningError) {
          let found = try MeasuredAllocation(ratio: ratio, widths: widths)
            .run(curves: curves, shape: shape)
          Self.check(found, shape, losses, ratio: ratio, widths)
          #expect(Set(found.counts).count == 1)
          if widths.headsDivideHiddenSize {
            #expect(16 % (found.counts[0].attentionOutput * width) == 0)
          }
          #expect(abs(found.loss - least) <= 1e-12, "seed \(seed), ratio \(ratio)")
          solved += 1
        } catch {
          guard case .ratioMissed = error else {
            Issue.record("\(error)")
            continue
          }
          #expect(least == .infinity, "seed \(seed), ratio \(ratio)")
        }
      }
    }
    #expect(solved > 300, "\(solved)")
  }

  @Test("A larger budget never loses more", arguments: 0..<20)
  func monotone(seed: Int) throws {
    let shape = Self.smallShape(seed)
    var random = RandomCurves(seed: UInt64(seed))
    let curves = random.layers(of: shape, levels: 3)
    var last = 0.0
    for percent in 0...50 {
      let found = try MeasuredAllocation(ratio: Double(percent) / 100)
        .run(curves: curves, shape: shape)
      #expect(found.loss >= last - 1e-12)
      last = found.loss
    }
    #expect(last > 0)
  }

  /// A group costs 4, a neuron 3. A neuron's loss is 1, a group's 5 in layer 0 and 0.5 in layer 1.
  @Test("By hand: the module that can spare most pays, of equals the later one")
  func byHand() throws {
    let shape = testShape(headDimension: 1, layers: [(2, 2, 3), (2, 2, 3)])
    #expect(Self.total(shape) == 34)
    let flat = LossCurve(
      errors: [0, 1, 2], measured: [LossCurve.Level(kept: 1, loss: 2)])
    let dear = LossCurve(errors: [0, 1], measured: [LossCurve.Level(kept: 1, loss: 5)])
    let cheap = LossCurve(errors: [0, 1], measured: [LossCurve.Level(kept: 1, loss: 0.5)])
    let curves = [
      PerTap(attentionOutput: dear, mlpDown: flat), PerTap(attentionOutput: cheap, mlpDown: flat),
    ]
    func counts(removing cost: Int) throws -> [[Int]] {
      try MeasuredAllocation(ratio: Double(cost) / 34).run(curves: curves, shape: shape).counts
        .map { [$0.attentionOutput, $0.mlpDown] }
    }
    #expect(try counts(removing: 0) == [[2, 3], [2, 3]])
    #expect(try counts(removing: 1) == [[2, 3], [1, 3]])
    #expect(try counts(removing: 4) == [[2, 3], [1, 3]])
    #expect(try counts(removing: 7) == [[2, 3], [1, 2]])
    #expect(try counts(removing: 10) == [[2, 3], [1, 1]])
    #expect(try counts(removing: 13) == [[2, 2], [1, 1]])
    #expect(try counts(removing: 17) == [[1, 2], [1, 1]])
    #expect(try counts(removing: 20) == [[1, 1], [1, 1]])
  }

  @Test("What is left of the budget is spent where nothing is gained too")
  func spendsAll() throws {
    let shape = testShape(headDimension: 1, layers: Array(repeating: (2, 2, 40), count: 4))
    let free = { (units: Int) in
      LossCurve(
        errors: Array(repeating: 0, count: units), measured: [LossCurve.Level(kept: 1, loss: 0)])
    }
    let curves = Array(repeating: PerTap(attentionOutput: free(2), mlpDown: free(40)), count: 4)
    let found = try MeasuredAllocation(ratio: 0.5).run(curves: curves, shape: shape)
    #expect(found.loss == 0)
    #expect(Self.total(shape) / 2 - Self.cost(found.counts, shape) < 3)
  }

  /// Neurons in more steps than the search tries at once: against a table of all counts and costs.
  /// A thousandth is far below what a measured loss is known to.
  @Test("Wide modules: next to nothing is lost by going from coarse to fine", arguments: 0..<6)
  func wide(seed: Int) throws {
    let shape = testShape(
      headDimension: 4,
      layers: [(4, 4, 700), (8, 4, 500), (4, 4, 900)])
    var random = RandomCurves(seed: UInt64(seed))
    let curves = random.smoothLayers(of: shape)
    let losses = curves.map { $0.map(\.losses) }
    for ratio in [0.2, 0.5, 0.8] {
      let found = try MeasuredAllocation(ratio: ratio).run(curves: curves, shape: shape)
      Self.check(found, shape, losses, ratio: ratio, WidthRules())
      let budget = Int((Double(Self.total(shape)) * (1 - ratio) + 1e-9).rounded(.down))
      var best = Array(repeating: 0.0, count: budget + 1)
      for layer in shape.layers.indices {
        for tap in Tap.allCases {
          let cost = shape.unitCost(layer: layer, tap: tap)
          var next = Array(repeating: Double.infinity, count: budget + 1)
          for (index, loss) in losses[layer][tap].enumerated() {
            for spent in stride(from: cost * (index + 1), through: budget, by: 1) {
              next[spent] = min(next[spent], best[spent - cost * (index + 1)] + loss)
            }
          }
          best = next
        }
      }
      #expect(found.loss >= best[budget] - 1e-12)
      #expect(found.loss <= best[budget] * 1.001, "\(found.loss) \(best[budget])")
    }
  }

  /// As in a model of 70 B parameters, in numbers that no exact table would hold. No allocation can
  /// lose less than the dual bound, max over λ ≥ 0 of Σ min_k (loss(k) + λ cost(k)) − λ budget.
  @Test("A large model is near the bound that no counts can beat", arguments: [0.2, 0.5])
  func large(ratio: Double) throws {
    let shape = testShape(
      hiddenSize: 8192, headDimension: 128, layers: Array(repeating: (64, 8, 28672), count: 80))
    var random = RandomCurves(seed: 70)
    let curves = random.smoothLayers(of: shape)
    let losses = curves.map { $0.map(\.losses) }
    let found = try MeasuredAllocation(ratio: ratio).run(curves: curves, shape: shape)
    Self.check(found, shape, losses, ratio: ratio, WidthRules())
    let budget = Double(Self.total(shape)) * (1 - ratio)
    #expect(budget - Double(Self.cost(found.counts, shape)) <= 3)
    let bound = Self.dualBound(losses, shape, budget: budget)
    #expect(found.loss >= bound * (1 - 1e-9))
    #expect(found.loss <= bound * 1.001, "\(found.loss) \(bound)")
  }

  /// Bisects λ until its counts cost what the budget is; any λ gives a bound.
  private static func dualBound(
    _ losses: [PerTap<[Double]>], _ shape: ModelShape, budget: Double
  ) -> Double {
    func dual(_ multiplier: Double) -> (value: Double, cost: Int) {
      var value = -multiplier * budget
      var cost = 0
      for layer in losses.indices {
        for tap in Tap.allCases {
          let unitCost = shape.unitCost(layer: layer, tap: tap)
          let price = multiplier * Double(unitCost)
          var least = (value: Double.infinity, kept: 0)
          for (index, loss) in losses[layer][tap].enumerated() {
            let value = loss + price * Double(index + 1)
            if value < least.value { least = (value, index + 1) }
          }
          value += least.value
          cost += unitCost * least.kept
        }
      }
      return (value, cost)
    }
    var (low, high) = (0.0, 1e-3)
    var best = 0.0
    for _ in 0..<40 {
      let middle = (low + high) / 2
      let found = dual(middle)
      best = max(best, found.value)
      if Double(found.cost) > budget { low = middle } else { high = middle }
    }
    return best
  }

  @Test("Ratio 0 keeps everything where that obeys, and is refused where it does not")
  func nothingRemoved() throws {
    let shape = testShape(headDimension: 4, layers: [(4, 4, 10), (4, 4, 10)])
    var random = RandomCurves(seed: 3)
    let curves = random.layers(of: shape, levels: 2)
    for widths in [WidthRules(), WidthRules(groupMultiple: 2), WidthRules(isUniform: true)] {
      let all = try MeasuredAllocation(ratio: 0, widths: widths).run(curves: curves, shape: shape)
      #expect(
        all.counts == Array(repeating: PerTap(attentionOutput: 4, mlpDown: 10), count: 2))
      #expect(all.loss == 0)
    }
    // 3 of 4 groups of 16 in both layers: 32 of 188 is more than a step of 48 away only with 6 of 10
    // neurons, 24 more.
    #expect(throws: PruningError.ratioMissed(asked: 0, nearest: 1 - 132.0 / 188)) {
      try MeasuredAllocation(ratio: 0, widths: WidthRules(groupMultiple: 3, neuronMultiple: 6))
        .run(curves: curves, shape: shape)
    }
  }

  @Test("The ratio's rounding does not cost a unit")
  func roundedRatio() throws {
    // 1 − 0.9 is less than 0.1, but 10 of 100 are to stay: one group of 4 and two neurons of 3.
    let shape = testShape(headDimension: 1, layers: [(10, 10, 20)])
    #expect(Self.total(shape) == 100)
    var random = RandomCurves(seed: 4)
    let curves = random.layers(of: shape, levels: 1)
    let found = try MeasuredAllocation(ratio: 0.9, widths: WidthRules(neuronMultiple: 2))
      .run(curves: curves, shape: shape)
    #expect(found.counts == [PerTap(attentionOutput: 1, mlpDown: 2)])
  }

  @Test("What cannot be is refused in one line")
  func refusals() throws {
    let shape = testShape(headDimension: 4, layers: [(2, 2, 8), (2, 2, 8)])
    var random = RandomCurves(seed: 1)
    let curves = random.layers(of: shape, levels: 1)
    func error(
      _ ratio: Double, _ widths: WidthRules = WidthRules(), shape other: ModelShape? = nil,
      change: (inout [PerTap<LossCurve>]) -> Void = { _ in }
    ) -> PruningError? {
      var curves = curves
      change(&curves)
      do throws(PruningError) {
        _ = try MeasuredAllocation(ratio: ratio, widths: widths)
          .run(curves: curves, shape: other ?? shape)
        return nil
      } catch {
        #expect(!"\(error)".contains("\n") && "\(error)".hasSuffix("."))
        return error
      }
    }
    #expect(error(0.2) == nil)
    for ratio in [-0.1, 1, .infinity] { #expect(error(ratio) == .ratioOutOfRange(ratio)) }
    // Each layer keeps 16 + 3 of 56.
    #expect(error(37.0 / 56) == nil)
    #expect(error(0.67) == .ratioUnreachable(asked: 0.67, largestReachable: 37.0 / 56))
    #expect(
      error(0.67).map { "\($0)" }
        == "The ratio 0.67 cannot be reached: every layer keeps at least one group of heads and one "
        + "neuron; give at most 0.6607.")
    // Each layer keeps 32 + 3 of 56.
    #expect(
      error(0.5, WidthRules(groupMultiple: 2)) == .ratioMissed(asked: 0.5, nearest: 1 - 35.0 / 56))
    // The nearest uniform counts above the budget are named too.
    #expect(
      error(0.6, WidthRules(isUniform: true, neuronMultiple: 8))
        == .ratioMissed(asked: 0.6, nearest: 1 - 40.0 / 56))
    #expect(
      error(0.2, WidthRules(groupMultiple: 3))
        == .tooFewUnits(layer: 0, .attentionOutput, found: 2, multiple: 3))
    let threes = testShape(headDimension: 4, layers: [(3, 1, 8), (3, 1, 8)])
    var others = RandomCurves(seed: 2)
    let curvesOfThrees = others.layers(of: threes, levels: 1)
    #expect(
      error(0.2, WidthRules(isUniform: true, headsDivideHiddenSize: true), shape: threes) {
        $0 = curvesOfThrees
      } == .noUniformHeads(hiddenSize: 16))
    #expect(error(0.2) { $0.removeLast() } == .layerCount(expected: 2, found: 1))
    #expect(
      error(0.2) { $0[1].mlpDown = $0[1].attentionOutput }
        == .channelCount(layer: 1, tap: .mlpDown, expected: 8, found: 2))
    #expect(
      error(0.2) {
        $0[1].attentionOutput = LossCurve(
          errors: [0, 1], measured: [LossCurve.Level(kept: 1, loss: .nan)])
      } == .lossNotFinite(layer: 1, tap: .attentionOutput, kept: 1))
    var hostile = shape
    hostile.layers[1] = LayerShape(headCount: 2, keyValueHeadCount: 0, intermediateSize: 8)
    #expect(error(0.2, shape: hostile) == .unusableLayer(1))
  }

  @Test("The units that go last stay; of equal ones the lower index")
  func plan() throws {
    let shape = testShape(headDimension: 4, layers: [(3, 3, 5), (3, 3, 5)])
    let ranks = [
      PerTap(attentionOutput: [2, 0, 1], mlpDown: [4, 0, 3, 1, 2]),
      PerTap(attentionOutput: [0, 1, 2], mlpDown: [1, 1, 0, 1, 0]),
    ]
    let plan = PruningPlan(
      keeping: [
        PerTap(attentionOutput: 2, mlpDown: 3), PerTap(attentionOutput: 1, mlpDown: 2),
      ], ranks: ranks)
    #expect(plan.layers[0].keptGroups == flags("101"))
    #expect(plan.layers[0].keptNeurons == flags("10101"))
    #expect(plan.layers[1].keptGroups == flags("001"))
    #expect(plan.layers[1].keptNeurons == flags("11000"))
    try plan.validate(for: shape)
    let all = PruningPlan(
      keeping: Array(repeating: PerTap(attentionOutput: 3, mlpDown: 5), count: 2), ranks: ranks)
    #expect(all == PruningPlan(keepingAllOf: shape))
  }
}
