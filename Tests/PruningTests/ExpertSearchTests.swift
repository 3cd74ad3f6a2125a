import FlapCore
import Pruning
import Statistics
import Testing

/// Which experts go.
struct ExpertSearchTests {
  /// A dense layer between two with eight experts.
  private let shape = {
    let experts = ExpertsShape(count: 8, countPerToken: 2)
    let mixture = LayerShape(
      headCount: 4, keyValueHeadCount: 2, intermediateSize: 6, experts: experts)
    let dense = LayerShape(headCount: 4, keyValueHeadCount: 2, intermediateSize: 20)
    return ModelShape(
      hiddenSize: 16, headDimension: 4, vocabularySize: 30, rmsNormEpsilon: 1e-6,
      rotaryEmbedding: RotaryEmbedding(theta: 10_000), tiesEmbeddings: false, biases: Biases(),
      layers: [mixture, dense, mixture])
  }()

  /// REAP's scores are 8, 1, 7, 2, 6, 3, 0 (no token), 5; the counts go another way.
  private let activity = {
    let counts = [1, 40, 3, 30, 5, 60, 0, 7]
    let means: [Double] = [8, 1, 7, 2, 6, 3, 0, 5]
    let one = ExpertActivity(
      counts: counts, gateSums: counts.map(Double.init), normSums: counts.map(Double.init),
      gatedNormSums: zip(counts, means).map { Double($0) * $1 })
    let none = ExpertActivity(counts: [], gateSums: [], normSums: [], gatedNormSums: [])
    return [one, none, one]
  }()

  private func kept(_ metric: Metric, share: Double, seed: UInt64 = 0) throws -> [[Int]] {
    let plan = try ExpertSearch(metric: metric, seed: seed, share: share).run(
      ratio: 0, activity: activity, shape: shape)
    try plan.validate(for: shape)
    #expect(plan.layers[1] == PruningPlan(keepingAllOf: shape).layers[1])
    return plan.layers.map { layer in
      layer.keptExperts.indices.filter { layer.keptExperts[$0] }
    }
  }

  @Test func byActivity() throws {
    let expected = [[0, 2, 4, 5, 7], [], [0, 2, 4, 5, 7]]
    #expect(try kept(.expertActivation, share: 0.375) == expected)
    #expect(try kept(.expertActivation, share: 0.5)[0] == [0, 2, 4, 7])
    #expect(try kept(.expertActivation, share: 0)[0] == Array(0..<8))
  }

  @Test func byFrequency() throws {
    #expect(try kept(.frequency, share: 0.5)[0] == [1, 3, 5, 7])
  }

  @Test func byChance() throws {
    let seeds = try (0..<20).map { try kept(.random, share: 0.5, seed: $0) }
    #expect(Set(seeds).count > 15)
    #expect(seeds.allSatisfy { $0[0].count == 4 && $0[2].count == 4 })
    // Layers do not lose the same ones.
    #expect(seeds.contains { $0[0] != $0[2] })
    #expect(try kept(.random, share: 0.5, seed: 3) == seeds[3])
  }

  @Test("a ratio of the parameters is met by the number of experts that comes nearest")
  func ratio() throws {
    let one = 3 * 6 * 16 + 16
    #expect(shape.expertParameterCount(layer: 0) == one)
    let total = shape.decoderParameterCount
    for removed in 1...7 {
      let search = ExpertSearch(metric: .random)
      for asked in [Double(2 * removed * one) + 0.9 * Double(one), Double(2 * removed * one)] {
        let ratio = asked / Double(total)
        let plan = try search.run(ratio: ratio, activity: nil, shape: shape)
        #expect(plan.layers[0].keptExpertCount == 8 - removed)
        let reached = ReachedRatio(of: plan, for: shape, compensating: false).decoderLayers
        #expect(abs(reached - Double(2 * removed * one) / Double(total)) < 1e-12)
        #expect(try abs(search.ratio(asked: ratio, of: shape) - reached) < 1e-12)
      }
    }
  }

  @Test func whatCannotBe() {
    var dense = shape
    for layer in dense.layers.indices { dense.layers[layer].experts = nil }
    let search = ExpertSearch(metric: .expertActivation, share: 0.25)
    #expect(throws: PruningError.noExperts) {
      try search.run(ratio: 0, activity: activity, shape: dense)
    }
    #expect(throws: PruningError.momentsMissing(.expertActivation)) {
      try search.run(ratio: 0, activity: nil, shape: shape)
    }
    #expect(throws: PruningError.expertShareUnreachable(asked: 0.95, largest: 0.875)) {
      try ExpertSearch(metric: .random, share: 0.95).run(ratio: 0, activity: nil, shape: shape)
    }
    #expect(throws: PruningError.self) {
      try ExpertSearch(metric: .random).run(ratio: 0.99, activity: nil, shape: shape)
    }
    var plan = PruningPlan(keepingAllOf: shape)
    plan.layers[0].keptExperts[3] = false
    #expect(throws: PruningError.expertsUnusable(layer: 0)) { try plan.validate(for: shape) }
  }
}
