import FlapCore
import Pruning
import Statistics
import Testing

/// Experts of which means are left: what goes, and what comes in their places.
struct ReplacedExpertsTests {
  private let shape = {
    let mixture = LayerShape(
      headCount: 4, keyValueHeadCount: 2, intermediateSize: 6,
      experts: ExpertsShape(count: 4, countPerToken: 3))
    let dense = LayerShape(headCount: 4, keyValueHeadCount: 2, intermediateSize: 20)
    return ModelShape(
      hiddenSize: 16, headDimension: 4, vocabularySize: 30, rmsNormEpsilon: 1e-6,
      rotaryEmbedding: RotaryEmbedding(theta: 10_000), tiesEmbeddings: false, biases: Biases(),
      layers: [mixture, dense, mixture])
  }()

  private var statistics: ModelStatistics {
    let activity = ExpertActivity(
      counts: [4, 0, 2, 8], gateSums: [4, 0, 2, 8], normSums: [4, 0, 2, 8],
      gatedNormSums: [4, 0, 6, 8])
    let none = ExpertActivity(counts: [], gateSums: [], normSums: [], gatedNormSums: [])
    let outputs = ExpertOutputs(sums: (0..<64).map { $0 / 16 == 1 ? 0 : Double($0) })
    var statistics = ModelStatistics(sampleCount: 1)
    statistics[ExpertActivity.self] = [activity, none, activity].map {
      PerTap(attentionOutput: none, mlpDown: $0)
    }
    statistics[ExpertOutputs.self] = [outputs, ExpertOutputs(sums: []), outputs].map {
      PerTap(attentionOutput: ExpertOutputs(sums: []), mlpDown: $0)
    }
    return statistics
  }

  private func plan(_ share: Double) throws -> PruningPlan {
    try ExpertSearch(metric: .frequency, share: share, replaces: true).run(
      ratio: 0, activity: statistics[ExpertActivity.self]?.map(\.mlpDown), shape: shape)
  }

  @Test("the router keeps its rows, and tokens go through as many experts")
  func prunedShape() throws {
    let plan = try plan(0.5)
    try plan.validate(for: shape)
    let pruned = plan.prunedShape(of: shape, compensating: false)
    #expect(pruned.layers[0].experts?.replaced == [1, 2])
    #expect(pruned.layers[0].experts?.count == 4)
    #expect(pruned.layers[0].experts?.countPerToken == 3)
    #expect(pruned.layers[0].intermediateSize == 6 && pruned.layers[0].neuronCount == 12)
    #expect(pruned.layers[1] == shape.layers[1])
    #expect(plan.kept(.experts, layer: 0, of: shape) == nil)
    #expect(
      pruned.table(layer: 0).tensors.suffix(9).map { "\($0.name) \($0.shape)" } == [
        "mlp.gate.weight [4, 16]",
        "mlp.experts.0.gate_proj.weight [6, 16]", "mlp.experts.0.up_proj.weight [6, 16]",
        "mlp.experts.0.down_proj.weight [16, 6]", "mlp.experts.1.mean [16]",
        "mlp.experts.2.mean [16]", "mlp.experts.3.gate_proj.weight [6, 16]",
        "mlp.experts.3.up_proj.weight [6, 16]", "mlp.experts.3.down_proj.weight [16, 6]",
      ])
    #expect(pruned.hasReplacedExperts && !shape.hasReplacedExperts)
  }

  @Test("means are counted: what an expert costs is its maps without one")
  func ratio() throws {
    let one = 3 * 6 * 16 - 16
    #expect(shape.expertParameterCount(layer: 0, replaced: true) == one)
    let total = Double(shape.decoderParameterCount)
    for (removed, share) in [(1, 0.25), (2, 0.5), (3, 0.75)] {
      let expected = Double(2 * removed * one) / total
      let search = ExpertSearch(metric: .random, share: share, replaces: true)
      let reached = ReachedRatio(of: try plan(share), for: shape, compensating: false)
      #expect(abs(reached.decoderLayers - expected) < 1e-12)
      #expect(try abs(search.ratio(asked: 0, of: shape) - expected) < 1e-12)
      let asked = try ExpertSearch(metric: .random, replaces: true).run(
        ratio: expected, activity: nil, shape: shape)
      #expect(asked.layers[0].removedExperts.count == removed)
    }
  }

  @Test("the means of those that go, zeros of one that no token reached")
  func means() throws {
    let found = try #require(try statistics.expertMeans(of: try plan(0.5)))
    #expect(found.map(\.count) == [2, 0, 2])
    #expect(found[0] == [Array(repeating: 0, count: 16), (32..<48).map { Double($0) / 2 }])
    #expect(try statistics.expertMeans(of: PruningPlan(keepingAllOf: shape)) == nil)
    var without = ModelStatistics(sampleCount: 1)
    without[ExpertActivity.self] = statistics[ExpertActivity.self]
    #expect(throws: PruningError.expertOutputsMissing) {
      try without.expertMeans(of: try plan(0.25))
    }
  }
}
