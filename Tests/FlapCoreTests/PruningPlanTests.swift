import FlapCore
import Testing

@Suite struct PruningPlanTests {
  /// Layer 0: three groups of two query heads; layer 1: plain multi-head attention.
  private let shape = ModelShape(
    hiddenSize: 12, headDimension: 2, vocabularySize: 8, rmsNormEpsilon: 1e-6,
    rotaryEmbedding: RotaryEmbedding(theta: 10_000), tiesEmbeddings: true,
    biases: Biases(queryKeyValue: true),
    layers: [
      LayerShape(headCount: 6, keyValueHeadCount: 3, intermediateSize: 4),
      LayerShape(headCount: 2, keyValueHeadCount: 2, intermediateSize: 3),
    ])

  private let plan = PruningPlan(layers: [
    PruningPlan.Layer(keptGroups: [true, false, true], keptNeurons: [false, true, false, false]),
    PruningPlan.Layer(keptGroups: [false, true], keptNeurons: [true, true, true]),
  ])

  @Test func channelsAtTheTaps() {
    #expect(shape.layers[0].headsPerGroup == 2)
    #expect(shape.channelCount(layer: 0, tap: .attentionOutput) == 12)
    #expect(shape.channelCount(layer: 0, tap: .mlpDown) == 4)
    #expect(Tap.mlpDown.moduleName(layer: 7) == "model.layers.7.mlp.down_proj")
    #expect(
      Tap.attentionOutput.moduleName(layer: 0) == "model.layers.0.self_attn.o_proj")
  }

  @Test func aGroupsFlagStandsForAllItsChannels() {
    let group = { (kept: Bool) in Array(repeating: kept, count: 4) }
    #expect(
      plan.keptChannels(layer: 0, tap: .attentionOutput, shape: shape)
        == group(true) + group(false) + group(true))
    #expect(
      plan.keptChannels(layer: 1, tap: .attentionOutput, shape: shape)
        == [false, false, true, true])
    #expect(
      plan.keptChannels(layer: 0, tap: .mlpDown, shape: shape) == [false, true, false, false])
  }

  @Test func thePrunedShapeHasWhatIsKept() {
    let pruned = plan.prunedShape(of: shape)
    #expect(
      pruned.layers == [
        LayerShape(headCount: 4, keyValueHeadCount: 2, intermediateSize: 1),
        LayerShape(headCount: 1, keyValueHeadCount: 1, intermediateSize: 3),
      ])
    #expect(
      pruned.biases == Biases(queryKeyValue: true, attentionOutput: true, mlpDown: true))
    #expect(plan.prunedShape(of: shape, compensating: false).biases == shape.biases)
    #expect(pruned.hiddenSize == 12 && pruned.headDimension == 2)
  }

  @Test func keepingAllLeavesTheShape() {
    let whole = PruningPlan(keepingAllOf: shape)
    #expect(whole.prunedShape(of: shape, compensating: false) == shape)
    #expect(whole.layers[0].keptGroupCount == 3 && whole.layers[1].keptNeuronCount == 3)
  }
}
