import FlapCore
import Pruning
import Testing

@Suite struct StructureSearchTests {
  /// Two layers of two heads (cost 2·4 + 2·4 = 16 each) and eight neurons (cost 3 each).
  private let shape = testShape(headDimension: 4, layers: [(2, 2, 8), (2, 2, 8)])

  private func scores(_ neurons: [Double], _ heads: [Double] = [1, 2]) -> LayerScores {
    LayerScores(
      attentionOutput: repeated(heads, count: 4), mlpDown: neurons)
  }

  private let rising = (1...8).map(Double.init)

  private func every(_ ratio: Double) -> [StructureSearch] {
    Structure.decidedByScores.map {
      StructureSearch(
        structure: $0, ratio: ratio, groupsRemoved: $0.needsGroupsRemoved ? 0 : nil)
    }
  }

  @Test func ratioZeroKeepsEverything() throws {
    for search in every(0) {
      let result = try search.run(scores: [scores(rising), scores(rising)], shape: shape)
      #expect(result.plan == PruningPlan(keepingAllOf: shape))
      #expect(result.reached.decoderLayers == 0)
      #expect(result.threshold == nil && result.unitsKeptByMinimum == 0)
    }
  }

  /// Nothing sets units apart: decisions must not come from 0/0 and must be the same each time.
  @Test(arguments: Structure.decidedByScores, [0.0, 1.0, 0.1, 1e-200, 1e150])
  func equalScoresDecideWithoutNaN(structure: Structure, score: Double) throws {
    let equal = scores(Array(repeating: score, count: 8), [score, score])
    let search = StructureSearch(
      structure: structure, ratio: 0.4, groupsRemoved: structure.needsGroupsRemoved ? 2 : nil)
    let result = try search.run(scores: [equal, equal], shape: shape)
    let plan = result.plan
    try plan.validate(for: shape)
    #expect(plan == (try search.run(scores: [equal, equal], shape: shape).plan))
    switch structure {
    case .adaptive:
      // All units are at the threshold, none above: the first of each layer is left.
      #expect(result.threshold == 0)
      #expect(plan.layers.allSatisfy { $0.keptGroups == [true, false] })
      #expect(
        plan.layers.allSatisfy { $0.keptNeurons == [true] + Array(repeating: false, count: 7) })
    case .uniform:
      #expect(plan == PruningPlan(keepingAllOf: shape))
    case .adaptiveLayersManualModules:
      // Exact numbers, the last units first: 0.4 · 112 = 44.8 is two groups and four neurons.
      #expect(result.keptGroups == [1, 1])
      #expect(plan.layers[0].keptNeurons == flags("11111111"))
      #expect(plan.layers[1].keptNeurons == flags("11110000"))
    case .measured, .experts: Issue.record("no score decides")
    case .uniformLayersManualModules:
      // In each layer 0.4 · 56 = 22.4 is one group and two neurons.
      #expect(result.keptGroups == [1, 1])
      #expect(plan.layers.allSatisfy { $0.keptNeurons == flags("11111100") })
    }
  }

  /// One layer whose channels differ by a hair, one with a large spread: standardizing makes them
  /// alike, and tiny differences are not lost. Powers of two, so that not a bit differs.
  @Test func layersAreComparedStandardized() throws {
    let narrow = LayerScores(
      attentionOutput: rising.map { 5 + $0 * 0x1p-30 }, mlpDown: rising.map { 1 + $0 * 0x1p-30 })
    let wide = LayerScores(
      attentionOutput: rising.map { $0 * 0x1p30 }, mlpDown: rising.map { $0 * 8 })
    let result = try StructureSearch(structure: .adaptive, ratio: 0.5)
      .run(scores: [narrow, wide], shape: shape)
    #expect(result.plan.layers[0] == result.plan.layers[1])
  }

  @Test func everyLayerKeepsItsBestUnits() throws {
    // Standardized, no neuron of layer 0 but the middle one comes near the top of layer 1.
    let lowest = scores([0, 0, 0, 0.5, 0, 0, 0, 0], [3, 2])
    let result = try StructureSearch(structure: .adaptive, ratio: 0.6)
      .run(scores: [lowest, scores(rising)], shape: shape)
    for layer in result.plan.layers {
      #expect(layer.keptGroupCount >= 1 && layer.keptNeuronCount >= 1)
    }
    #expect(result.plan.layers[0].keptNeurons[3])
    #expect(result.plan.layers[0].keptGroups[0])
  }

  @Test func minimumIsRestoredAndCounted() throws {
    // The cut falls on the better groups of both layers, alike, so that all groups score too low.
    let layer = scores([0, 0, 0, 0, 0, 0, 0, 9], [3, 2])
    let result = try StructureSearch(structure: .adaptive, ratio: 0.65)
      .run(scores: [layer, layer], shape: shape)
    #expect(result.plan.layers.allSatisfy { $0.keptGroups == [true, false] })
    let lost = result.plan.layers.count { $0.keptNeuronCount == 1 }
    #expect(lost == 2 && result.unitsKeptByMinimum == 2)
  }

  @Test func aGroupWeighsWhatItsParametersDo() throws {
    // 4 query heads share a key and a value head: 2·4·2 + 2·2 = 20, against 3 of a neuron.
    let shape = testShape(headDimension: 2, layers: [(8, 2, 10)])
    #expect(shape.unitCost(layer: 0, tap: .attentionOutput) == 20)
    let groups = repeated([1, 9], count: 8)
    let layer = LayerScores(attentionOutput: groups, mlpDown: (1...10).map { 100 + Double($0) })
    // Standardized, group 0 is worse than eight neurons and better than two. Without it and them
    // 20 + 8 · 3 = 44 are kept, next to the wanted 0.66 · 70 = 46.2; the neuron at the cut goes too.
    let result = try StructureSearch(structure: .adaptive, ratio: 0.34)
      .run(scores: [layer], shape: shape)
    #expect(result.plan.layers[0].keptGroups == [false, true])
    #expect(result.keptNeurons == [7])
  }

  /// Of two places equally near the budget the first is the cut, by exact arithmetic.
  @Test func aTieOfTwoCutsKeepsLess() throws {
    // One head, cost 16, standardized to 0, and 16 neurons, eight above it: summed in descending
    // order 3 … 24, 40, 43, 46 …; 44.5 of 64 are wanted.
    let shape = testShape(headDimension: 4, layers: [(1, 1, 16)])
    let layer = LayerScores(
      attentionOutput: [1, 2, 3, 4], mlpDown: (0..<16).map(Double.init))
    let result = try StructureSearch(structure: .adaptive, ratio: 19.5 / 64)
      .run(scores: [layer], shape: shape)
    #expect(result.keptNeurons == [8])
    #expect(result.unitsKeptByMinimum == 0)
  }

  @Test(arguments: [0.05, 0.2, 0.35, 0.5])
  func manualModulesMeetTheRatioWithinANeuron(ratio: Double) throws {
    let layers: [(heads: Int, groups: Int, neurons: Int)] = Array(repeating: (4, 2, 64), count: 6)
    let shape = testShape(headDimension: 4, layers: layers)
    let scores = (0..<6).map { layer -> LayerScores in
      let attention = (0..<16).map { ($0 * 7 + layer * 5) % 16 }
      let mlp = (0..<64).map { ($0 * 37 + layer * 11) % 64 }
      return LayerScores(
        attentionOutput: attention.map(Double.init), mlpDown: mlp.map(Double.init))
    }
    let total = Double(shape.decoderParameterCount / shape.hiddenSize)
    for structure in [Structure.adaptiveLayersManualModules, .uniformLayersManualModules] {
      for removed in [0, 6] where Double(removed * 48) <= ratio * total {
        let result = try StructureSearch(
          structure: structure, ratio: ratio, groupsRemoved: removed
        ).run(scores: scores, shape: shape)
        #expect(result.keptGroups.reduce(0, +) == 12 - removed)
        let neuronsRoundedAway = structure == .uniformLayersManualModules ? 6.0 : 1.0
        #expect(result.reached.decoderLayers <= ratio + 1e-12)
        #expect(result.reached.decoderLayers > ratio - 3 * neuronsRoundedAway / total - 1e-12)
      }
    }
  }

  /// AL-MM: the three lowest groups of the model would be both of layer 0; its best does not stand
  /// for removal, so one of layer 1 goes, of two equal ones the later.
  @Test func manualRemovalSparesEveryLayersBest() throws {
    let shape = testShape(headDimension: 2, layers: [(2, 2, 10), (3, 3, 10)])
    let neurons = (0..<10).map(Double.init)
    let close = LayerScores(attentionOutput: [0, 10, 1, 11], mlpDown: neurons)
    let apart = LayerScores(attentionOutput: [0, 0, 9, 9, 9, 9], mlpDown: neurons)
    let result = try StructureSearch(
      structure: .adaptiveLayersManualModules, ratio: 0.25, groupsRemoved: 3
    ).run(scores: [close, apart], shape: shape)
    #expect(result.plan.layers[0].keptGroups == [false, true])
    #expect(result.plan.layers[1].keptGroups == [false, true, false])
    #expect(result.keptNeurons == [10, 10])
    #expect(result.unitsKeptByMinimum == 0)
  }

  /// A pruned model pruned again: layers of different sizes, one of them at the minimum already.
  @Test(arguments: Structure.decidedByScores)
  func layersOfDifferentSizes(structure: Structure) throws {
    let shape = testShape(headDimension: 2, layers: [(8, 4, 20), (2, 1, 1), (6, 3, 9)])
    let scores = shape.layers.indices.map { layer -> LayerScores in
      let channelCount = shape.channelCount(layer: layer, tap: .attentionOutput)
      let attention = (0..<channelCount).map { ($0 * 5 + layer) % 7 }
      let mlp = (0..<shape.layers[layer].intermediateSize).map { $0 * 3 % 11 }
      return LayerScores(
        attentionOutput: attention.map(Double.init), mlpDown: mlp.map(Double.init))
    }
    let search = StructureSearch(
      structure: structure, ratio: structure == .uniformLayersManualModules ? 0 : 0.3,
      groupsRemoved: structure.needsGroupsRemoved ? 0 : nil)
    let result = try search.run(scores: scores, shape: shape)
    try result.plan.validate(for: shape)
    #expect(result.plan.layers[1].keptGroups == [true])
    #expect(result.plan.layers[1].keptNeurons == [true])
  }

  @Test func ratiosReachedCountEmbeddingsAndBiases() throws {
    // 2 of 4 groups and 4 of 8 neurons per layer at hidden 16.
    let halves = [scores(rising), scores(rising)]
    let search = StructureSearch(structure: .uniform, ratio: 0.5)
    let decoder = 16 * (4 * 16 + 16 * 3)
    let whole = decoder + 2 * 32 * 16 + 5 * 16
    let compensated = try search.run(scores: halves, shape: shape)
    #expect(compensated.reached.decoderLayers == 0.5)
    let left = Double(whole - decoder / 2 + 4 * 16)
    #expect(compensated.reached.wholeModel == 1 - left / Double(whole))
    let bare = try search.run(scores: halves, shape: shape, compensating: false)
    #expect(bare.plan == compensated.plan)
    #expect(bare.reached.wholeModel == 1 - (left - 4 * 16) / Double(whole))
  }
}
