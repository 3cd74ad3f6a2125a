import FlapCore
import Measurement
import Statistics
import Testing
import Transformer

/// Activations that are no numbers are named, whatever is measured.
struct FinitenessTests {
  @Test(
    "layer, tap, channel and the run's sample", arguments: [[ChannelMoments.kind], [LossSum.kind]],
    [ComputeType.float32, .bfloat16])
  func named(kinds: [StatisticKind], compute: ComputeType) throws {
    // Token 9 is nearly all in channel 0 of the stream, whose norm is then √32; other tokens have
    // less there. So neuron 3 of layer 1 exceeds f32 for token 9 alone.
    let small = try SmallModel { name, values in
      if name == "model.embed_tokens.weight" { values[9 * 32] = 1e10 }
      if name == "model.layers.1.post_attention_layernorm.weight" { values[0] = 1 }
      if name == "model.layers.1.mlp.up_proj.weight" { values[3 * 32] = 0.8e38 }
    }
    let model = try Llama(
      checkpoint: small.checkpoint, compute: compute, threadCount: 1,
      limits: MicroBatchLimits(tokensPerSample: 4, samplesPerLeaf: 3, leavesPerMicroBatch: 2))
    func leaf(_ last: Int32) -> Leaf {
      Leaf(
        tokens: [1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, last], sampleCount: 3, tokensPerSample: 4)
    }
    let measurement = SampleMeasurement(model)
    let node = TreeNode(level: 1, index: 2)
    // Leaves 4 and 5 of the run: sample 3 · 5 + 2 has the token.
    let error = #expect(throws: TransformerError.self) {
      try measurement.run(kinds, [leaf(8), leaf(9)], of: node, samplesPerLeaf: 3) {
      } emit: { _ in
      }
    }
    guard case .nonFinite(let layer, let tap, let channel, let sample) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(layer == 1 && tap == .mlpDown && channel == 3 && sample == 17)
    // The next pass finds nothing of it.
    #expect(throws: Never.self) {
      try measurement.run(kinds, [leaf(8), leaf(8)], of: node, samplesPerLeaf: 3) {
      } emit: { _ in
      }
    }
  }
}
