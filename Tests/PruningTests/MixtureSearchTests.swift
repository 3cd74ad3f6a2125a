import FlapCore
import FlapTestKit
import Pruning
import Statistics
import Testing

/// Heads, neurons and experts of a mixture that share a ratio.
struct MixtureSearchTests {
  /// Two layers of two groups and two experts of four neurons. In parameters ÷ hidden size a group costs
  /// 16, a neuron 3, an expert besides its neurons 1: 2 · (2·16 + 2·4·3 + 2) = 116.
  private static func shape(dense: Int? = nil) -> ModelShape {
    let experts = ExpertsShape(count: 2, countPerToken: 1)
    let mixture = LayerShape(
      headCount: 2, keyValueHeadCount: 2, intermediateSize: 4, experts: experts)
    var layers = [mixture, mixture]
    if let dense {
      layers.append(LayerShape(headCount: 2, keyValueHeadCount: 2, intermediateSize: dense))
    }
    return ModelShape(
      hiddenSize: 16, headDimension: 4, vocabularySize: 30, rmsNormEpsilon: 1e-6,
      rotaryEmbedding: RotaryEmbedding(theta: 10_000), tiesEmbeddings: false, biases: Biases(),
      layers: layers)
  }

  /// The first group and the first expert of a layer are the better ones; the best neurons of an expert
  /// are its last, but the other way round in the second. Standardized, the worst neurons of the experts
  /// have −1.16, groups −0.94, experts −0.71, the next neurons −0.39.
  private let scores = [LayerScores](
    repeating: PerTap(
      attentionOutput: [1, 1, 1, 1, 0, 0, 0, 0], mlpDown: [1, 2, 3, 4, 40, 30, 20, 10]), count: 2)
  private let activity = [ExpertActivity](
    repeating: ExpertActivity(
      counts: [5, 5], gateSums: [5, 5], normSums: [5, 5], gatedNormSums: [10, 5]), count: 2)

  private func run(
    _ removed: Int, _ structure: Structure = .adaptive, experts: Double? = nil,
    attention: Double? = nil, widths: WidthRules = WidthRules()
  ) throws -> PruningPlan {
    let sparing = Sparing(
      moduleRatio: attention.map { Sparing.ModuleRatio(tap: .attentionOutput, ratio: $0) })
    let search = StructureSearch(
      structure: structure, ratio: Double(removed) / 116, widths: widths, sparing: sparing,
      experts: ExpertSearch(metric: .expertActivation, share: experts))
    let result = try search.run(scores: scores, activity: activity, shape: Self.shape())
    try result.plan.validate(for: Self.shape())
    return result.plan
  }

  private func groups(_ plan: PruningPlan) -> [[Bool]] { plan.layers.map(\.keptGroups) }
  private func neurons(_ plan: PruningPlan) -> [Bool] {
    #expect(plan.layers[0].keptNeurons == plan.layers[1].keptNeurons)
    return plan.layers[0].keptNeurons
  }

  @Test("slices, groups and experts go in the order of their scores")
  func order() throws {
    let both = [flags("11"), flags("11")]
    var plan = try run(0)
    #expect(plan == PruningPlan(keepingAllOf: Self.shape()))
    // The worst neuron of each of four experts.
    plan = try run(12)
    #expect(neurons(plan) == flags("01111110") && groups(plan) == both)
    // Of equals the later layer's group goes first.
    plan = try run(12 + 16)
    #expect(neurons(plan) == flags("01111110") && groups(plan) == [flags("11"), flags("10")])
    plan = try run(12 + 32)
    #expect(groups(plan) == [flags("10"), flags("10")])
    #expect(plan.layers.allSatisfy { $0.keptExpertCount == 2 })
    // An expert of each layer, with its three neurons and its row of the router.
    plan = try run(12 + 32 + 20)
    #expect(plan.layers.allSatisfy { $0.keptExperts == flags("10") })
    #expect(neurons(plan) == flags("01110000"))
    // Another neuron of what is left.
    plan = try run(12 + 32 + 20 + 6)
    #expect(neurons(plan) == flags("00110000"))
  }

  @Test("where the next slice goes too far, others come nearer")
  func fill() throws {
    // In order: a neuron of the dense layer (3), a slice (12), groups (16 each), an expert of each layer
    // (20), a dense neuron (3), a slice (12), a dense neuron (3).
    let shape = Self.shape(dense: 5)
    let dense = PerTap(
      attentionOutput: [1, 1, 1, 1, 0, 0, 0, 0].map(Double.init), mlpDown: [1, 2, 3, 4, 5])
    let idle = ExpertActivity(counts: [], gateSums: [], normSums: [], gatedNormSums: [])
    let total = Double(shape.decoderParameterCount / shape.hiddenSize)
    func plan(_ removed: Int) throws -> PruningPlan {
      try StructureSearch(
        structure: .adaptive, ratio: Double(removed) / total,
        experts: ExpertSearch(metric: .expertActivation)
      ).run(scores: scores + [dense], activity: activity + [idle], shape: shape).plan
    }
    // Behind 3 + 12 only dense neurons fit into 19, and one of them is nearer than two.
    var found = try plan(19)
    #expect(found.layers[0].keptNeurons == flags("01111110"))
    #expect(found.layers[2].keptNeurons == flags("00111"))
    #expect(found.layers.allSatisfy { $0.keptGroups == flags("11") })
    // 3 + 12 + 3 + 12 is nearer to 28 than 3 + 12 + 16, and than what fits.
    found = try plan(28)
    #expect(found.layers[0].keptNeurons == flags("00111100"))
    #expect(found.layers[2].keptNeurons == flags("00111"))
    #expect(found.layers.allSatisfy { $0.keptGroups == flags("11") })
  }

  @Test("experts go by a share of their own, or not at all")
  func shares() throws {
    var plan = try run(26 + 6, experts: 0.5)
    #expect(plan.layers.allSatisfy { $0.keptExperts == flags("10") })
    #expect(neurons(plan) == flags("01110000") && groups(plan) == [flags("11"), flags("11")])
    plan = try run(12 + 32 + 12, experts: 0)
    #expect(plan.layers.allSatisfy { $0.keptExpertCount == 2 })
    #expect(neurons(plan) == flags("00111100"))
    #expect(throws: PruningError.expertsExceedRatio(asked: 10.0 / 116, reached: 26.0 / 116)) {
      try run(10, experts: 0.5)
    }
    // A group and an expert with a neuron and its row are left of each layer: 2 · (16 + 3 + 1).
    #expect(throws: PruningError.ratioUnreachable(asked: 77.0 / 116, largestReachable: 76.0 / 116))
    {
      try run(77, experts: 0.5)
    }
    plan = try run(76, experts: 0.5)
    #expect(neurons(plan).count { $0 } == 1 && groups(plan) == [flags("10"), flags("10")])
    #expect(throws: PruningError.expertShareUnreachable(asked: 0.9, largest: 0.5)) {
      try run(60, experts: 0.9)
    }
  }

  @Test("attention loses what it is given")
  func attention() throws {
    var plan = try run(24, experts: 0, attention: 0)
    #expect(neurons(plan) == flags("00111100") && groups(plan) == [flags("11"), flags("11")])
    plan = try run(28, experts: 0, attention: 0.25)
    #expect(neurons(plan) == flags("01111110") && groups(plan) == [flags("11"), flags("10")])
    // Without attention at most 3 of 4 neurons go, 36 of 116.
    #expect(throws: PruningError.ratioMissed(asked: 60.0 / 116, nearest: 1 - 80.0 / 116)) {
      try run(60, experts: 0, attention: 0)
    }
    plan = try run(56, .uniform, attention: 0.5)
    #expect(neurons(plan) == flags("00111100") && groups(plan) == [flags("10"), flags("10")])
  }

  @Test("UL-UM takes the same share of groups and neurons, and no experts of itself")
  func uniform() throws {
    let plan = try run(58, .uniform)
    #expect(neurons(plan) == flags("00111100") && groups(plan) == [flags("10"), flags("10")])
    #expect(plan.layers.allSatisfy { $0.keptExpertCount == 2 })
    let rest = try run(26 + 6, .uniform, experts: 0.5)
    // What is left loses 6 of 90: less than a neuron of four and a group of two.
    #expect(neurons(rest) == flags("11110000") && groups(rest) == [flags("11"), flags("11")])
  }

  @Test(
    "rules on counts hold for the neurons of experts, and for all layers where they are to be one")
  func rules() throws {
    var plan = try run(24, experts: 0, attention: 0, widths: WidthRules(neuronMultiple: 2))
    #expect(neurons(plan) == flags("00111100"))
    plan = try run(12 + 32, experts: 0, widths: WidthRules(isUniform: true))
    // Less than half of the groups go, so none does.
    #expect(groups(plan) == [flags("11"), flags("11")])
    #expect(plan.layers.allSatisfy { $0.keptNeurons.count { $0 } == 2 })
    #expect(
      throws: PruningError.tooFewUnits(layer: 0, .mlpDown, found: 4, multiple: 8)
    ) { try run(24, widths: WidthRules(neuronMultiple: 8)) }
  }

  @Test("without activity no expert goes; without a score of any kind the lower numbers stay")
  func withoutData() throws {
    let search = StructureSearch(
      structure: .adaptive, ratio: 0.5, experts: ExpertSearch(metric: .expertActivation))
    let plan = try search.run(scores: scores, shape: Self.shape()).plan
    #expect(plan.layers.allSatisfy { $0.keptExpertCount == 2 })
    var asked = search
    asked.experts = ExpertSearch(metric: .expertActivation, share: 0.5)
    #expect(throws: PruningError.momentsMissing(.expertActivation)) {
      try asked.run(scores: scores, shape: Self.shape())
    }
  }

  @Test("any mixture is left with one width of experts, at the ratio", arguments: 0..<60)
  func random(seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    let count = Int.random(in: 2...6, using: &generator)
    let experts = ExpertsShape(count: count, countPerToken: 1)
    let width = Int.random(in: 6...20, using: &generator)
    let layers = (0..<Int.random(in: 1...4, using: &generator)).map { layer in
      layer > 0 && Bool.random(using: &generator)
        ? LayerShape(headCount: 8, keyValueHeadCount: 4, intermediateSize: 3 * width)
        : LayerShape(
          headCount: 8, keyValueHeadCount: 4, intermediateSize: width, experts: experts)
    }
    var shape = Self.shape()
    shape.layers = layers
    func values(_ count: Int) -> [Double] {
      (0..<count).map { _ in Double.random(in: 0...1, using: &generator) }
    }
    let scores = shape.layers.indices.map { layer in
      PerTap { values(shape.channelCount(layer: layer, tap: $0)) }
    }
    let activity = layers.map { layer in
      let norms = values(layer.experts?.count ?? 0)
      return ExpertActivity(
        counts: norms.map { _ in 3 }, gateSums: norms, normSums: norms, gatedNormSums: norms)
    }
    let share = seed % 3 == 0 ? nil : seed % 3 == 1 ? 0 : 1 / Double(count)
    let structure = seed % 2 == 0 ? Structure.adaptive : .uniform
    let ratio = Double.random(in: 0.3...0.6, using: &generator)
    let result = try StructureSearch(
      structure: structure, ratio: ratio,
      experts: ExpertSearch(metric: .expertActivation, share: share)
    ).run(scores: scores, activity: activity, shape: shape, compensating: false)
    let plan = result.plan
    try plan.validate(for: shape)
    let pruned = plan.prunedShape(of: shape, compensating: false)
    let mixed = pruned.layers.filter { $0.experts != nil }
    #expect(Set(mixed.map(\.intermediateSize)).count == 1)
    #expect(Set(mixed.map { $0.experts!.count }).count == 1)
    if let share {
      #expect(mixed[0].experts!.count == count - Int((share * Double(count)).rounded()))
    }
    // Every expert that stays keeps its best neurons.
    for (index, layer) in shape.layers.enumerated() where layer.experts != nil {
      for expert in 0..<count where plan.layers[index].keptExperts[expert] {
        let neurons = shape.channels(layer: index, tap: .mlpDown, expert: expert)
        let kept = neurons.filter { plan.layers[index].keptNeurons[$0] }
        let gone = neurons.filter { !plan.layers[index].keptNeurons[$0] }
        let least = kept.map { scores[index].mlpDown[$0] }.min()!
        #expect(gone.allSatisfy { scores[index].mlpDown[$0] <= least })
      }
    }
    guard structure == .adaptive else { return }
    // Within half of the largest step, which is a slice, a group, or an expert of every layer.
    let slice = 3 * count * mixed.count
    let step = max(slice, 3 * 16, share == nil ? mixed.count * (3 * width + 1) : 0)
    let total = Double(shape.decoderParameterCount / shape.hiddenSize)
    #expect(abs(result.reached.decoderLayers - ratio) * total <= Double(step) / 2 + 1e-9)
  }

  @Test("counts by measured loss are the best of all that can be had", arguments: 0..<40)
  func measured(seed: UInt64) throws {
    let shape = Self.shape(dense: 5)
    var curves = RandomCurves(seed: seed)
    let layers = shape.layers.map { layer in
      PerTap(
        attentionOutput: curves.next(units: 2, levels: 1),
        mlpDown: curves.next(units: layer.intermediateSize, levels: 2))
    }
    let ranks = shape.layers.indices.map { layer in
      PerTap { Array(0..<shape.unitCount(layer: layer, tap: $0)) }
    }
    let losses = layers.map { $0.map(\.losses) }
    let total = shape.decoderParameterCount / shape.hiddenSize
    let removed = 12 + Int(seed)
    let budget = total - removed
    var best = Double.infinity
    for groups in 0..<8 {
      let counts = (0..<3).map { 1 + groups >> $0 & 1 }
      for width in 1...4 {
        for dense in 1...5 {
          let cost = counts.reduce(0) { $0 + 16 * $1 } + 2 * (2 * 3 * width + 2) + 3 * dense
          guard cost <= budget else { continue }
          let loss =
            counts.enumerated().reduce(0) { $0 + losses[$1.0].attentionOutput[$1.1 - 1] }
            + losses[0].mlpDown[width - 1] + losses[1].mlpDown[width - 1]
            + losses[2].mlpDown[dense - 1]
          best = min(best, loss)
        }
      }
    }
    let search = StructureSearch(
      structure: .measured, ratio: Double(removed) / Double(total),
      experts: ExpertSearch(metric: .expertActivation))
    let result = try search.runMeasuredMixture(
      curves: layers, ranks: ranks, activity: nil, shape: shape)
    try result.plan.validate(for: shape)
    #expect(abs(try #require(result.predictedLoss) - best) < 1e-12)
    // Those that go last stay.
    let kept = result.plan.layers[0].keptNeurons
    #expect(Array(kept[..<4]) == Array(kept[..<4]).sorted { !$0 && $1 })
  }
}
