import FlapCore
import Kernels
import Measurement
import Statistics
import Testing
import Transformer

/// What experts give on average, and a mixture in which that is all that is left of some.
struct ReplacedExpertTests {
  @Test("the means of what experts give", arguments: GoldenModel.mixtureNames)
  func outputs(name: String) throws {
    let golden = try GoldenModel(name)
    let model = try golden.model(.float32, threads: 2)
    let activities = try ExpertActivityGatherer(model.observerLimits)
    let gatherer = try ExpertOutputsGatherer(model.observerLimits)
    // The second time round there is something in the scratch.
    for _ in 0..<2 {
      try model.forward([golden.leaf], observers: [activities, gatherer]) { passage in
        let (activity, outputs) = (activities.take(passage), gatherer.take(passage))
        guard passage.experts != nil else { return #expect(outputs.sums.isEmpty) }
        let means = (0..<8).flatMap { outputs.mean(ofExpert: $0, activity) }
        let expected = golden.values("model.layers.\(passage.layer).mlp.experts.output_mean")
        #expect(largestError(means, expected) < 1e-5)
      }
    }
  }

  /// Experts 1 and 6 are replaced, in every layer that has some.
  private func pruning(
    _ shape: ModelShape, mean: (_ expert: Int, _ channel: Int) -> Float
  ) -> ModelPruning {
    var plan = PruningPlan(keepingAllOf: shape)
    for layer in shape.layers.indices where shape.layers[layer].experts != nil {
      plan.layers[layer].remove(experts: [1, 6])
      plan.layers[layer].replacesExperts = true
    }
    return ModelPruning(
      plan: plan, maps: plan.layers.map { _ in PerTap { _ in nil } },
      expertMeans: plan.layers.map { layer in
        Dictionary(
          uniqueKeysWithValues: layer.removedExperts.map { expert in
            (expert, (0..<shape.hiddenSize).map { mean(expert, $0) })
          })
      })
  }

  @Test("the same bits whoever computes", arguments: GoldenModel.mixtureNames)
  func threads(name: String) throws {
    let golden = try GoldenModel(name)
    func logits(_ compute: ComputeType, threads: Int) throws -> [Float] {
      let model = try golden.model(compute, threads: threads)
      model.pruning = pruning(model.shape) { Float($0 + 1) * Float($1 % 5) / 8 }
      return try model.logits(of: golden.leaf)
    }
    let whole = try golden.model(.float32).logits(of: golden.leaf)
    let replaced = try logits(.float32, threads: 1)
    #expect(replaced.allSatisfy(\.isFinite) && replaced != whole)
    #expect(try logits(.float32, threads: 3) == replaced)
    #expect(try logits(.bfloat16, threads: 2) == logits(.bfloat16, threads: 1))
  }

  @Test("tokens go where they went, with the gates that they had; a mean is no output to be seen")
  func activity() throws {
    let golden = try GoldenModel("mixtral-f32")
    /// Of the first layer, before which nothing is replaced.
    func activity(_ model: Llama) throws -> (ExpertActivity, ExpertOutputs) {
      let activities = try ExpertActivityGatherer(model.observerLimits)
      let gatherer = try ExpertOutputsGatherer(model.observerLimits)
      var found: [(ExpertActivity, ExpertOutputs)] = []
      try model.forward([golden.leaf], observers: [activities, gatherer]) { passage in
        found.append((activities.take(passage), gatherer.take(passage)))
      }
      return found[1]
    }
    let model = try golden.model(.float32)
    let (all, outputs) = try activity(model)
    model.pruning = pruning(model.shape) { _, _ in 0.5 }
    let (left, seen) = try activity(model)
    #expect(left.counts == all.counts && left.gateSums == all.gateSums)
    let width = model.shape.hiddenSize
    for expert in 0..<8 {
      let isGone = [1, 6].contains(expert)
      let range = expert * width..<(expert + 1) * width
      #expect(left.normSums[expert] == (isGone ? 0 : all.normSums[expert]))
      #expect(
        Array(seen.sums[range])
          == (isGone ? Array(repeating: 0, count: width) : Array(outputs.sums[range])))
    }
  }

  @Test func replacedExpertsGatherNothing() {
    let choice = { (expert: Int) in ExpertChoice(expert: expert, gate: Float(expert)) }
    let routing = Routing(
      [(row: 0, [choice(2), choice(0)]), (row: 1, [choice(2)]), (row: 16, [choice(3)])],
      expertCount: 4, replaced: [0, 1])
    #expect(routing.visits.map { $0.map(\.row) } == [[0], [], [0, 1], [16]])
    #expect(routing.firstRows == [0, 0, 0, 16, 32])
    #expect(routing.byLoad == [2, 3])
    #expect(routing.places == [nil, nil, 0, 1])
  }
}
