import FlapCore
import FlapTestKit
import Pruning
import Testing

/// Searches under rules about counts, over seeded scores.
@Suite struct WidthRuleTests {
  private static let layers: [(heads: Int, groups: Int, neurons: Int)] = Array(
    repeating: (16, 8, 344), count: 6)
  private let shape = testShape(hiddenSize: 64, headDimension: 8, layers: layers)

  /// Parameters ÷ hidden size of the model, and of one group.
  private var total: Double { Double(shape.decoderParameterCount / shape.hiddenSize) }
  private var neuronCost: Int { shape.unitCost(layer: 0, tap: .mlpDown) }
  private var groupCost: Int { shape.unitCost(layer: 0, tap: .attentionOutput) }

  /// Layers that differ in spread and level, so that structures decide differently.
  private func scores(seed: UInt64, _ shape: ModelShape? = nil) -> [LayerScores] {
    let shape = shape ?? self.shape
    var generator = SeededGenerator(seed: seed)
    return shape.layers.indices.map { layer in
      let power = Double.random(in: 1...8, using: &generator)
      func values(_ tap: Tap) -> [Double] {
        (0..<shape.channelCount(layer: layer, tap: tap)).map { _ in
          let value = Double.random(in: 0...1, using: &generator)
          return (0..<Int(power)).reduce(value) { product, _ in product * value }
        }
      }
      return LayerScores(attentionOutput: values(.attentionOutput), mlpDown: values(.mlpDown))
    }
  }

  private func search(
    _ structure: Structure, _ ratio: Double, _ widths: WidthRules, groupsRemoved: Int = 12
  ) -> StructureSearch {
    StructureSearch(
      structure: structure, ratio: ratio,
      groupsRemoved: structure.needsGroupsRemoved ? groupsRemoved : nil, widths: widths)
  }

  private func kept(_ result: SearchResult) -> Double {
    zip(result.keptGroups, result.keptNeurons).reduce(0) {
      $0 + Double(groupCost * $1.0 + neuronCost * $1.1)
    }
  }

  static let rules = [
    WidthRules(neuronMultiple: 8), WidthRules(neuronMultiple: 32),
    WidthRules(isUniform: false, roundingNeuronsTo: 1, tensorParallelism: 2),
    WidthRules(isUniform: false, roundingNeuronsTo: 32, tensorParallelism: 4),
    WidthRules(isUniform: true), WidthRules(isUniform: true, neuronMultiple: 32),
    WidthRules(isUniform: true, headsDivideHiddenSize: true),
    WidthRules(
      isUniform: true, roundingNeuronsTo: 32, tensorParallelism: 2, headsDivideHiddenSize: true),
  ]

  @Test(
    "The counts obey and the budget is kept within one step, the same each time",
    arguments: rules, Structure.decidedByScores)
  func budget(widths: WidthRules, structure: Structure) throws {
    for seed in 0..<12 {
      // UL-MM and AL-MM remove 12 of 48 groups, a twelfth of the model.
      let ratio = [0.2, 0.3, 0.45, 0.6][seed % 4]
      let scores = scores(seed: UInt64(seed))
      let result = try search(structure, ratio, widths).run(scores: scores, shape: shape)
      try result.plan.validate(for: shape)
      #expect(try search(structure, ratio, widths).run(scores: scores, shape: shape) == result)
      for layer in result.plan.layers {
        #expect(layer.keptGroupCount % widths.groupMultiple == 0)
        #expect(layer.keptNeuronCount % widths.neuronMultiple == 0)
      }
      let step: Int
      if widths.isUniform {
        #expect(Set(result.keptGroups).count == 1 && Set(result.keptNeurons).count == 1)
        step = 6 * neuronCost * widths.neuronMultiple
      } else {
        step = max(
          neuronCost * widths.neuronMultiple, groupCost * widths.groupMultiple)
      }
      if widths.headsDivideHiddenSize { #expect(64 % (result.keptGroups[0] * 2) == 0) }
      let miss = abs(kept(result) - total * (1 - ratio))
      #expect(miss <= Double(step), "seed \(seed), ratio \(ratio): \(miss) of \(step)")
    }
  }

  @Test(
    "AL-AM: what a larger ratio keeps, a smaller one keeps too", arguments: [1, 2, 4], [8, 32])
  func nested(ranks: Int, rounding: Int) throws {
    let widths = WidthRules(
      isUniform: false, roundingNeuronsTo: rounding, tensorParallelism: ranks)
    for seed in 20..<26 {
      let scores = scores(seed: UInt64(seed))
      var last: PruningPlan?
      for percent in stride(from: 10, through: 80, by: 5) {
        let plan = try search(.adaptive, Double(percent) / 100, widths)
          .run(scores: scores, shape: shape).plan
        if let last {
          for (smaller, larger) in zip(plan.layers, last.layers) {
            #expect(zip(smaller.keptGroups, larger.keptGroups).allSatisfy { !$0 || $1 })
            #expect(zip(smaller.keptNeurons, larger.keptNeurons).allSatisfy { !$0 || $1 })
          }
        }
        last = plan
      }
    }
  }

  @Test(
    "Uniform counts: fewer parameters with every larger ratio",
    arguments: Structure.decidedByScores)
  func monotone(structure: Structure) throws {
    let widths = WidthRules(isUniform: true, neuronMultiple: 8, headsDivideHiddenSize: true)
    let scores = scores(seed: 5)
    let sizes = try stride(from: 20, through: 70, by: 5).map {
      kept(
        try search(structure, Double($0) / 100, widths, groupsRemoved: 18)
          .run(scores: scores, shape: shape))
    }
    #expect(zip(sizes, sizes.dropFirst()).allSatisfy { $0 > $1 }, "\(sizes)")
  }

  /// Heads of 4, 2, 1 or 8 divide 16. The ratio leaves 8 − ⌊8 · ratio⌋ of 8 groups.
  @Test(
    "Uniform counts: no fewer groups than their share where the class takes them",
    arguments: [(0.1, 8), (0.3, 8), (0.5, 4), (0.7, 4), (0.8, 2)])
  func share(ratio: Double, groups: Int) throws {
    let shape = testShape(
      headDimension: 4, layers: Array(repeating: (heads: 8, groups: 8, neurons: 100), count: 3))
    let search = search(.adaptive, ratio, WidthRules(isUniform: true, headsDivideHiddenSize: true))
    let result = try search.run(scores: scores(seed: 4, shape), shape: shape)
    #expect(result.keptGroups == Array(repeating: groups, count: 3))
    #expect(abs(result.reached.decoderLayers - ratio) < 0.004)
  }

  @Test("Within a layer the best stay")
  func best() throws {
    let scores = scores(seed: 9)
    let widths = WidthRules(isUniform: true, neuronMultiple: 32)
    let result = try search(.adaptive, 0.4, widths).run(scores: scores, shape: shape)
    for (layer, scores) in zip(result.plan.layers, scores) {
      let gone = zip(scores.mlpDown, layer.keptNeurons).filter { !$1 }.map(\.0).max() ?? 0
      let stayed = zip(scores.mlpDown, layer.keptNeurons).filter { $1 }.map(\.0).min() ?? 0
      #expect(gone <= stayed)
    }
  }

  /// Blocks of two neurons, in both layers with the means 7.5, 5.5, 3.5, 1.5. Both heads and both
  /// best blocks stay anyway; of the others three, of equal ones that of the earlier layer first.
  @Test("Blocks by hand")
  func byHand() throws {
    let shape = testShape(headDimension: 4, layers: [(1, 1, 8), (1, 1, 8)])
    let rising = (1...8).map(Double.init)
    let layer = LayerScores(attentionOutput: [1, 2, 3, 4], mlpDown: rising)
    // Both heads stay: 2 · 16 of 32 + 48. Kept are to be 32 + 5 · 6 = 62.
    let result = try search(.adaptive, 1 - 62.0 / 80, WidthRules(neuronMultiple: 2))
      .run(scores: [layer, layer], shape: shape)
    #expect(result.keptGroups == [1, 1])
    #expect(result.plan.layers[0].keptNeurons == flags("00111111"))
    #expect(result.plan.layers[1].keptNeurons == flags("00001111"))
  }

  @Test("Ratio 0 keeps everything where that obeys, and is refused where it does not")
  func nothingRemoved() throws {
    let scores = scores(seed: 1)
    let fits = try search(.adaptive, 0, WidthRules(neuronMultiple: 8)).run(
      scores: scores, shape: shape)
    #expect(fits.plan == PruningPlan(keepingAllOf: shape))
    // 320 of 344 neurons in every layer: 6 · 72 of all are more than a step of 192 away.
    let error = #expect(throws: PruningError.self) {
      try search(.adaptive, 0, WidthRules(neuronMultiple: 64)).run(scores: scores, shape: shape)
    }
    guard case .ratioMissed(asked: 0, let nearest) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(abs(nearest - 6 * 72 / total) < 1e-12)
  }

  @Test("What no counts can meet is refused in one line")
  func refusals() throws {
    let scores = scores(seed: 2)
    func error(_ ratio: Double, _ widths: WidthRules) -> PruningError? {
      do throws(PruningError) {
        _ = try search(.adaptive, ratio, widths).run(scores: scores, shape: shape)
        return nil
      } catch {
        #expect(!"\(error)".contains("\n"))
        return error
      }
    }
    guard case .ratioMissed = error(0.93, WidthRules(groupMultiple: 4, neuronMultiple: 64)) else {
      Issue.record("four groups and 64 neurons of every layer are more than 7 %")
      return
    }
    #expect(
      error(0.2, WidthRules(groupMultiple: 16))
        == .tooFewUnits(layer: 0, .attentionOutput, found: 8, multiple: 16))
    #expect(
      error(0.2, WidthRules(neuronMultiple: 512))
        == .tooFewUnits(layer: 0, .mlpDown, found: 344, multiple: 512))
    // 8 groups of 2 heads in threes: 6 and 12 heads do not divide 64.
    #expect(
      error(0.2, WidthRules(isUniform: true, groupMultiple: 3, headsDivideHiddenSize: true))
        == .noUniformHeads(hiddenSize: 64))
    let uneven = testShape(headDimension: 8, layers: [(4, 4, 40), (4, 2, 40)])
    #expect(throws: PruningError.unevenGroups(layer: 1)) {
      try search(.adaptive, 0.2, WidthRules(isUniform: true)).run(
        scores: self.scores(seed: 3, uneven), shape: uneven)
    }
  }
}
