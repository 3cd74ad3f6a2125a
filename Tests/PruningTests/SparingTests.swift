import FlapCore
import FlapTestKit
import Pruning
import Testing

/// Layers that stay as they are, and kinds of modules with a ratio of their own.
@Suite struct SparingTests {
  /// Per layer two groups (cost 2·4 + 2·4 = 16 each) and eight neurons (cost 3 each): 56.
  private let shape = testShape(
    headDimension: 4, layers: Array(repeating: (heads: 2, groups: 2, neurons: 8), count: 3))
  private let rising = (1...8).map(Double.init)

  private var scores: [LayerScores] {
    Array(
      repeating: LayerScores(attentionOutput: repeated([1, 2], count: 4), mlpDown: rising),
      count: 3)
  }

  private static func two(_ shape: ModelShape) -> ModelShape {
    var two = shape
    two.layers.removeLast()
    return two
  }

  // MARK: Layers

  /// 0.2 of three layers is 0.3 of two; scores are standardized layer by layer, so that the others'
  /// do not change.
  @Test(arguments: Structure.decidedByScores, [WidthRules(), WidthRules(neuronMultiple: 2)])
  func layersAreSearchedAsIfTheOthersWereNotThere(structure: Structure, widths: WidthRules) throws {
    var generator = SeededGenerator(seed: 5)
    let scores = (0..<3).map { _ in
      LayerScores(
        attentionOutput: (0..<8).map { _ in .random(in: 0...1, using: &generator) },
        mlpDown: (0..<8).map { _ in .random(in: 0...1, using: &generator) })
    }
    let groups = structure.needsGroupsRemoved ? 2 : nil
    func search(_ ratio: Double, sparing layers: Set<Int> = []) -> StructureSearch {
      StructureSearch(
        structure: structure, ratio: ratio, groupsRemoved: groups, widths: widths,
        sparing: Sparing(layers: layers))
    }
    let spared = try search(0.2, sparing: [1]).run(scores: scores, shape: shape)
    let alone = try search(0.3).run(scores: [scores[0], scores[2]], shape: Self.two(shape))
    let all = PruningPlan(keepingAllOf: shape)
    #expect(
      spared.plan.layers == [alone.plan.layers[0], all.layers[1], alone.plan.layers[1]])
    #expect(spared.threshold == alone.threshold)
    #expect((spared.reached.decoderLayers - alone.reached.decoderLayers * 2 / 3).magnitude < 1e-12)
    #expect(spared.reached.decoderLayers > 0.05)
  }

  @Test func ratioZeroKeepsEverythingWhateverStays() throws {
    for layers in [[1], [0, 1, 2]] as [Set<Int>] {
      let result = try StructureSearch(
        structure: .adaptive, ratio: 0, sparing: Sparing(layers: layers)
      ).run(scores: scores, shape: shape)
      #expect(result.plan == PruningPlan(keepingAllOf: shape))
    }
  }

  @Test func layersThatCannotStay() {
    // Two of three layers can lose 37 of 56 each: 74/168.
    #expect(
      error(0.45, Sparing(layers: [1]))
        == .ratioUnreachableSparing(asked: 0.45, largestReachable: 74.0 / 168))
    #expect(error(0.44, Sparing(layers: [1])) == nil)
    #expect(
      error(0.7, Sparing(layers: [1]))
        == .ratioUnreachableSparing(asked: 0.7, largestReachable: 74.0 / 168))
    #expect(
      error(0.1, Sparing(layers: [0, 1, 2]))
        == .ratioUnreachableSparing(asked: 0.1, largestReachable: 0))
    #expect(error(0.1, Sparing(layers: [3, 9])) == .noSuchLayer(3, layerCount: 3))
    #expect(error(0.1, Sparing(layers: [-1])) == .noSuchLayer(-1, layerCount: 3))
    #expect(
      error(0.1, Sparing(layers: [1]), widths: WidthRules(isUniform: true)) == .sparedLayersDiffer)
    #expect(
      error(0.1, Sparing(layers: [1]), widths: WidthRules(neuronMultiple: 3))
        == .sparedUnits(layer: 1, .mlpDown, found: 8, multiple: 3))
  }

  // MARK: Kinds of modules

  /// 0.2 · 168 = 33.6 of the neurons' 72 go: nearest to the 38.4 that stay are 13 neurons, 39. Three
  /// layers score alike, so that the fifth of one stays or not as the cut treats equals.
  @Test func neuronsAloneLoseWhereAttentionIsSpared() throws {
    let result = try StructureSearch(
      structure: .adaptive, ratio: 0.2,
      sparing: Sparing(moduleRatio: .init(tap: .attentionOutput, ratio: 0))
    ).run(scores: scores, shape: shape)
    #expect(result.keptGroups == [2, 2, 2])
    #expect((12...13).contains(result.keptNeurons.reduce(0, +)))
    for layer in result.plan.layers {
      #expect(layer.keptNeurons == flags("00001111") || layer.keptNeurons == flags("00011111"))
    }
  }

  /// Each layer has a group that scores above all neurons, and the MLPs are to lose nothing: 0.2 of
  /// all is 0.35 of attention, and nearest to the 62.4 of 96 that stay are four groups.
  @Test func groupsAloneLoseWhereNeuronsAreSpared() throws {
    let result = try StructureSearch(
      structure: .adaptive, ratio: 0.2,
      sparing: Sparing(moduleRatio: .init(tap: .mlpDown, ratio: 0))
    ).run(scores: scores, shape: shape)
    #expect(result.keptNeurons == [8, 8, 8])
    #expect((3...4).contains(result.keptGroups.reduce(0, +)))
    #expect(result.plan.layers.allSatisfy { $0.keptGroups[1] })
  }

  /// The same, cut at the ratio: 13 neurons of the one kind, four groups of the other.
  @Test func eachKindIsCutAtItsRatio() throws {
    func kept(sparing tap: Tap) throws -> SearchResult {
      try StructureSearch(
        structure: .adaptive, ratio: 0.2, cut: .fitted,
        sparing: Sparing(moduleRatio: .init(tap: tap, ratio: 0))
      ).run(scores: scores, shape: shape)
    }
    let neurons = try kept(sparing: .attentionOutput)
    #expect(neurons.keptGroups == [2, 2, 2] && neurons.keptNeurons.reduce(0, +) == 13)
    let groups = try kept(sparing: .mlpDown)
    #expect(groups.keptNeurons == [8, 8, 8] && groups.keptGroups.reduce(0, +) == 4)
  }

  /// UL-UM: r = ⌊ratio · units⌋ of each kind goes. (0.2 · 168 − 0.5 · 96) < 0; with 0.1 of attention
  /// (none of two groups) the MLPs lose (33.6 − 9.6) / 72 of theirs, ⌊8/3⌋ = 2 of eight.
  @Test func everyLayerLosesTheRatiosOfItsModules() throws {
    let result = try StructureSearch(
      structure: .uniform, ratio: 0.2,
      sparing: Sparing(moduleRatio: .init(tap: .attentionOutput, ratio: 0.1))
    ).run(scores: scores, shape: shape)
    #expect(result.keptGroups == [2, 2, 2])
    #expect(result.plan.layers.allSatisfy { $0.keptNeurons == flags("00111111") })
  }

  /// Half of all and of attention: of 84 stay 48, one group a layer, and 36, twelve neurons in sets of
  /// two; each layer's best two sets.
  @Test func kindsOfModulesInSets() throws {
    let result = try StructureSearch(
      structure: .adaptive, ratio: 0.5, widths: WidthRules(neuronMultiple: 2),
      sparing: Sparing(moduleRatio: .init(tap: .attentionOutput, ratio: 0.5))
    ).run(scores: scores, shape: shape)
    #expect(result.plan.layers.allSatisfy { $0.keptGroups == flags("01") })
    #expect(result.plan.layers.allSatisfy { $0.keptNeurons == flags("00001111") })
  }

  /// 0.2 · 56 = 11.2 a layer; without groups nearest to 24 − 11.2 are four neurons.
  @Test func sameCountsWithAttentionSpared() throws {
    for structure in [Structure.adaptive, .uniform] {
      let result = try StructureSearch(
        structure: structure, ratio: 0.2, widths: WidthRules(isUniform: true),
        sparing: Sparing(moduleRatio: .init(tap: .attentionOutput, ratio: 0))
      ).run(scores: scores, shape: shape)
      #expect(result.keptGroups == [2, 2, 2] && result.keptNeurons == [4, 4, 4])
    }
  }

  /// With one layer spared both ratios are of the whole model still: a third of attention is 32 of 96,
  /// half of what the two other layers have of it.
  @Test func bothAtOnce() throws {
    let result = try StructureSearch(
      structure: .uniform, ratio: 0.2,
      sparing: Sparing(layers: [0], moduleRatio: .init(tap: .attentionOutput, ratio: 1.0 / 3))
    ).run(scores: scores, shape: shape)
    #expect(result.keptGroups == [2, 1, 1])
    // (33.6 − 32) / 48 of eight neurons is none.
    #expect(result.keptNeurons == [8, 8, 8])
  }

  @Test func ratiosThatDoNotGoTogether() {
    func sparing(_ tap: Tap, _ ratio: Double) -> Sparing {
      Sparing(moduleRatio: .init(tap: tap, ratio: ratio))
    }
    // Attention alone would be more than the ratio.
    guard
      case .moduleRatioUnreachable(.mlpDown, let needed, let largest) = error(
        0.1, sparing(.attentionOutput, 0.5))
    else {
      Issue.record("MLPs cannot gain")
      return
    }
    #expect((needed - (16.8 - 48) / 72).magnitude < 1e-12 && largest == 63.0 / 72)
    // The MLPs would have to lose more than all.
    #expect(isUnreachable(error(0.6, sparing(.attentionOutput, 0)), .mlpDown))
    // A group stays in every layer.
    #expect(isUnreachable(error(0.4, sparing(.attentionOutput, 0.6)), .attentionOutput))
    #expect(isUnreachable(error(0.4, sparing(.mlpDown, .nan)), .mlpDown))
    #expect(
      error(0.2, sparing(.mlpDown, 0.1), .adaptiveLayersManualModules, groups: 1)
        == .moduleRatioUnused(.adaptiveLayersManualModules))
  }

  private func isUnreachable(_ error: PruningError?, _ tap: Tap) -> Bool {
    if case .moduleRatioUnreachable(tap, _, _) = error { true } else { false }
  }

  private func error(
    _ ratio: Double, _ sparing: Sparing, _ structure: Structure = .adaptive, groups: Int? = nil,
    widths: WidthRules = WidthRules()
  ) -> PruningError? {
    do throws(PruningError) {
      _ = try StructureSearch(
        structure: structure, ratio: ratio, groupsRemoved: groups, widths: widths, sparing: sparing
      ).run(scores: scores, shape: shape)
      return nil
    } catch { return error }
  }

  // MARK: Measured losses

  private static func curve(_ errors: [Double]) -> LossCurve {
    LossCurve(errors: errors, measured: [.init(kept: 1, loss: 1)])
  }

  private static let curves = (0..<3).map { layer in
    PerTap(
      attentionOutput: curve([0, Double(layer + 1)]),
      mlpDown: curve((0..<8).map { Double($0 * (layer + 1)) }))
  }

  @Test func measuredLossesOfTheOtherLayers() throws {
    let spared = try MeasuredAllocation(ratio: 0.2, sparing: Sparing(layers: [2]))
      .run(curves: Self.curves, shape: shape)
    let alone = try MeasuredAllocation(ratio: 0.3)
      .run(curves: Array(Self.curves.dropLast()), shape: Self.two(shape))
    #expect(spared.counts == alone.counts + [PerTap(attentionOutput: 2, mlpDown: 8)])
    #expect(spared.loss == alone.loss && alone.loss > 0)
  }

  /// Of 168 · 0.8 = 134.4 attention keeps its 96; 38 pay for 12 neurons. Each lost one costs the same
  /// in every layer, for curves are scaled to what was measured.
  @Test func measuredLossesOfOneKind() throws {
    let found = try MeasuredAllocation(
      ratio: 0.2, sparing: Sparing(moduleRatio: .init(tap: .attentionOutput, ratio: 0))
    ).run(curves: Self.curves, shape: shape)
    #expect(found.counts.map(\.attentionOutput) == [2, 2, 2])
    #expect(found.counts.map(\.mlpDown).reduce(0, +) == 12)
    let uniform = MeasuredAllocation(
      ratio: 0.2, widths: WidthRules(isUniform: true),
      sparing: Sparing(moduleRatio: .init(tap: .mlpDown, ratio: 0)))
    #expect(throws: PruningError.moduleRatioUnused(.measured)) {
      try uniform.run(curves: Self.curves, shape: shape)
    }
  }
}
