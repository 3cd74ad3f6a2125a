import FlapCore
import Pruning
import Statistics
import Testing

@Suite struct PruningErrorTests {
  private let shape = testShape(headDimension: 4, layers: [(2, 2, 8), (2, 2, 8)])

  private var scores: [LayerScores] {
    Array(
      repeating: LayerScores(
        attentionOutput: (0..<8).map(Double.init), mlpDown: (0..<8).map(Double.init)), count: 2)
  }

  private func error(
    _ structure: Structure, _ ratio: Double, groups: Int? = nil, scores: [LayerScores]? = nil,
    shape: ModelShape? = nil
  ) -> PruningError? {
    do throws(PruningError) {
      _ = try StructureSearch(structure: structure, ratio: ratio, groupsRemoved: groups)
        .run(scores: scores ?? self.scores, shape: shape ?? self.shape)
      return nil
    } catch {
      return error
    }
  }

  @Test(arguments: [-0.1, 1, 1.5, .infinity, -.infinity])
  func ratioOutsideItsRange(ratio: Double) {
    #expect(error(.adaptive, ratio) == .ratioOutOfRange(ratio))
  }

  @Test func ratioThatIsNoNumber() {
    guard case .ratioOutOfRange = error(.adaptive, .nan) else {
      Issue.record("NaN was taken for a ratio.")
      return
    }
  }

  /// Each of two layers keeps 16 + 3 of 2·16 + 8·3 = 56: at most 37/56 = 0.66071 can go.
  @Test(arguments: Structure.decidedByScores)
  func ratioThatTheMinimumForbids(structure: Structure) throws {
    let groups = structure.needsGroupsRemoved ? 2 : nil
    #expect(error(structure, 0.66, groups: groups) == nil)
    let unreachable = try #require(error(structure, 0.67, groups: groups))
    #expect(unreachable == .ratioUnreachable(asked: 0.67, largestReachable: 37.0 / 56))
    // Rounded down: the number named works.
    #expect(unreachable.description.contains("at most 0.6607."))
    #expect(error(structure, 0.6607, groups: groups) == nil)
  }

  @Test func fewGroupsRemovedMakeLessReachable() {
    // Without groups 7 of 8 neurons per layer are all that can go: 21/56.
    for structure in [Structure.adaptiveLayersManualModules, .uniformLayersManualModules] {
      #expect(error(structure, 0.375, groups: 0) == nil)
      #expect(
        error(structure, 0.5, groups: 0)
          == .ratioUnreachable(asked: 0.5, largestReachable: 0.375))
    }
  }

  @Test func groupsRemovedHaveToFit() {
    #expect(
      error(.adaptiveLayersManualModules, 0.3)
        == .groupsRemovedMissing(.adaptiveLayersManualModules))
    #expect(error(.adaptive, 0.3, groups: 1) == .groupsRemovedUnused(.adaptive))
    #expect(error(.uniform, 0.3, groups: 0) == .groupsRemovedUnused(.uniform))
    for structure in [Structure.adaptiveLayersManualModules, .uniformLayersManualModules] {
      for asked in [-1, 3, Int.max, Int.min] {
        #expect(
          error(structure, 0.3, groups: asked)
            == .groupsRemovedOutOfRange(asked: asked, largest: 2))
      }
    }
    #expect(
      error(.uniformLayersManualModules, 0.3, groups: 1)
        == .groupsRemovedUneven(asked: 1, layerCount: 2))
    #expect(
      error(.adaptiveLayersManualModules, 0.1, groups: 1)
        == .groupsExceedRatio(asked: 0.1, reached: 16.0 / 112))
    #expect(
      error(.uniformLayersManualModules, 0, groups: 2)
        == .groupsExceedRatio(asked: 0, reached: 16.0 / 56))
  }

  @Test func scoresHaveToFitTheShape() {
    #expect(error(.adaptive, 0.2, scores: []) == .layerCount(expected: 2, found: 0))
    var wrong = scores
    wrong[1].mlpDown.removeLast()
    #expect(
      error(.adaptive, 0.2, scores: wrong)
        == .channelCount(layer: 1, tap: .mlpDown, expected: 8, found: 7))
    wrong = scores
    wrong[1].attentionOutput[3] = .nan
    #expect(
      error(.uniform, 0.2, scores: wrong)
        == .scoreNotFinite(layer: 1, tap: .attentionOutput, channel: 3))
  }

  @Test func shapesFromFilesDoNotTrap() {
    var hostile = shape
    hostile.layers[1] = LayerShape(headCount: 2, keyValueHeadCount: 0, intermediateSize: 8)
    #expect(error(.adaptive, 0.2, shape: hostile) == .unusableLayer(1))
    hostile.layers[1] = LayerShape(headCount: 3, keyValueHeadCount: 2, intermediateSize: 8)
    #expect(error(.adaptive, 0.2, shape: hostile) == .unusableLayer(1))
    hostile.layers[1] = LayerShape(headCount: .max, keyValueHeadCount: 1, intermediateSize: 8)
    #expect(error(.adaptive, 0.2, shape: hostile) == .unusableLayer(1))
    hostile = shape
    hostile.hiddenSize = .max
    #expect(error(.adaptive, 0.2, shape: hostile) == .unusableShape)
    hostile = shape
    hostile.headDimension = 0
    #expect(error(.adaptive, 0.2, shape: hostile) == .unusableShape)
  }

  @Test func scoringNeedsStatisticsThatFit() {
    let norms = WeightNorms(squareSum: [1, 2], absoluteMean: [1, 1])
    let layer = PerTap(attentionOutput: norms, mlpDown: norms)
    func error(_ metric: Metric, tokens: Int, samples: Int = 1, channels: Int = 2) -> PruningError?
    {
      let moments = ChannelMoments(
        count: tokens, mean: Array(repeating: 0, count: channels),
        m2: Array(repeating: 1, count: channels))
      do throws(PruningError) {
        _ = try LayerScores(
          metric: metric, moments: PerTap(attentionOutput: moments, mlpDown: moments),
          norms: layer, sampleCount: samples, layer: 5)
        return nil
      } catch {
        return error
      }
    }
    #expect(error(.weightedVariance, tokens: 2) == nil)
    #expect(error(.weightedVariance, tokens: 1) == .tooFewTokens(1))
    #expect(error(.weightedNorm, tokens: 2, samples: 0) == .noSamples)
    #expect(
      error(.variance, tokens: 2, channels: 3)
        == .channelCount(layer: 5, tap: .attentionOutput, expected: 2, found: 3))
    #expect(error(.magnitude, tokens: 0, samples: 0, channels: 3) == nil)
    #expect(throws: PruningError.momentsMissing(.weightedVariance)) {
      try LayerScores.scores(metric: .weightedVariance, moments: nil, norms: [layer])
    }
    #expect(throws: PruningError.layerCount(expected: 1, found: 0)) {
      try LayerScores.scores(
        metric: .variance, moments: ModelMoments(sampleCount: 1, layers: []), norms: [layer])
    }
  }

  @Test func plansFromFilesAreChecked() throws {
    let whole = PruningPlan(keepingAllOf: shape)
    try whole.validate(for: shape)
    func error(_ change: (inout PruningPlan) -> Void) -> PruningError? {
      var plan = whole
      change(&plan)
      do throws(PruningError) {
        try plan.validate(for: shape)
        return nil
      } catch {
        return error
      }
    }
    #expect(error { $0.layers.removeLast() } == .layerCount(expected: 2, found: 1))
    #expect(
      error { $0.layers[0].keptGroups.append(true) }
        == .channelCount(layer: 0, tap: .attentionOutput, expected: 2, found: 3))
    #expect(
      error { $0.layers[1].keptNeurons.removeLast() }
        == .channelCount(layer: 1, tap: .mlpDown, expected: 8, found: 7))
    #expect(error { $0.layers[1].keptGroups = [false, false] } == .emptiedLayer(1))
    #expect(
      error { $0.layers[0].keptNeurons = Array(repeating: false, count: 8) } == .emptiedLayer(0))
  }

  @Test(arguments: [
    PruningError.ratioOutOfRange(2), .ratioUnreachable(asked: 0.9, largestReachable: 0.8),
    .groupsRemovedMissing(.adaptive), .groupsRemovedUnused(.uniform),
    .groupsRemovedOutOfRange(asked: 9, largest: 2), .groupsRemovedUneven(asked: 3, layerCount: 2),
    .groupsExceedRatio(asked: 0.1, reached: 0.2), .momentsMissing(.variance), .tooFewTokens(1),
    .noSamples, .layerCount(expected: 1, found: 2),
    .channelCount(layer: 0, tap: .mlpDown, expected: 1, found: 2),
    .scoreNotFinite(layer: 0, tap: .mlpDown, channel: 1), .unusableShape, .unusableLayer(1),
    .emptiedLayer(0), .orderMissing, .lossesMissing,
    .errorNotFinite(layer: 0, tap: .mlpDown, removed: 1),
    .lossNotFinite(layer: 0, tap: .mlpDown, kept: 1), .lossNotMeasured(layer: 0, tap: .mlpDown),
    .lossLevelUnusable(layer: 0, tap: .mlpDown, kept: 9, units: 8),
  ])
  func descriptionsAreOneLine(error: PruningError) {
    #expect(!error.description.contains("\n") && error.description.hasSuffix("."))
  }
}
