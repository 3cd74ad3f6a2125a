import Checkpoint
import FlapCore
import Kernels
import Measurement
import Statistics
import Testing
import Transformer

/// The forward pass against transformers: every family and its variants in small.
struct GoldenTests {
  @Test("logits, f32", arguments: GoldenModel.names)
  func logits(name: String) throws {
    let golden = try GoldenModel(name)
    let logits = try golden.model(.float32).logits(of: golden.leaf)
    // f32 sums in another order: some ulp (1.2e-7), grown through two layers.
    #expect(largestError(logits.map(Double.init), golden.values("logits")) < 3e-6)
  }

  @Test("logits of samples within the original context", arguments: GoldenModel.scaledNames)
  func shortLogits(name: String) throws {
    let golden = try GoldenModel(name)
    // The model has room for the longer samples, too, and one length does not disturb the other.
    let model = try golden.model(.float32)
    let long = try model.logits(of: golden.leaf)
    let short = try model.logits(of: golden.shortLeaf)
    #expect(largestError(short.map(Double.init), golden.values("short_logits")) < 3e-6)
    #expect(largestError(long.map(Double.init), golden.values("logits")) < 3e-6)
  }

  @Test("logits, bf16", arguments: GoldenModel.names)
  func logitsBFloat16(name: String) throws {
    let golden = try GoldenModel(name)
    let logits = try golden.model(.bfloat16).logits(of: golden.leaf)
    let expected = golden.values("logits")
    let scale = expected.map(abs).max() ?? 1
    let width = golden.checkpoint.configuration.shape.vocabularySize
    let errors = stride(from: 0, to: expected.count, by: width).map { first in
      (first..<first + width).map { abs(Double(logits[$0]) - expected[$0]) }.max()! / scale
    }
    // Operands have 8 bits: errors of 2⁻⁹ each, over some ten products in a row; more than zero,
    // or the products were not bf16. A token whose experts are nearly as good as others may take these.
    let mayDiffer = GoldenModel.mixtureNames.contains(name) ? errors.count / 10 : 0
    #expect(errors.count { $0 >= 0.05 } <= mayDiffer)
    #expect(errors.max()! > 1e-4)
  }

  @Test("loss", arguments: GoldenModel.names)
  func loss(name: String) throws {
    let golden = try GoldenModel(name)
    var steps = 0
    let model = try golden.model(.float32)
    try model.forward([golden.leaf])
    let losses = try model.losses(of: [golden.leaf]) { steps += 1 }
    // The vocabulary fits into one section.
    #expect(steps == 1 && steps == model.lossStepCount)
    #expect(losses.count == 1)
    #expect(losses[0].tokenCount == GoldenModel.sampleCount * (GoldenModel.tokensPerSample - 1))
    // transformers' own logits are f32, and the sum has the errors of 108 of them.
    #expect(abs(losses[0].sum / golden.values("nll")[0] - 1) < 1e-6)
  }

  @Test("moments at both taps of every layer", arguments: GoldenModel.names)
  func moments(name: String) throws {
    let golden = try GoldenModel(name)
    let model = try golden.model(.float32, threads: 2)
    var seen: [String] = []
    let gatherer = try MomentsGatherer(model.observerLimits)
    try model.forward([golden.leaf], observers: [gatherer]) { passage in
      let name = passage.tap.moduleName(layer: passage.layer)
      let moments = gatherer.take(passage)
      seen.append(name)
      guard passage.experts == nil else {
        #expect(moments.channelCount == 0 && moments.count == golden.tokens.count)
        return
      }
      #expect(largestError(moments.mean, golden.values("\(name).input_mean")) < 1e-5)
      #expect(largestError(moments.m2, golden.values("\(name).input_m2")) < 1e-5)
    }
    #expect(
      seen == [
        "model.layers.0.self_attn.o_proj", "model.layers.0.mlp.down_proj",
        "model.layers.1.self_attn.o_proj", "model.layers.1.mlp.down_proj",
      ])
  }

  @Test("what experts do", arguments: GoldenModel.mixtureNames)
  func activity(name: String) throws {
    let golden = try GoldenModel(name)
    let model = try golden.model(.float32, threads: 2)
    let gatherer = try ExpertActivityGatherer(model.observerLimits)
    var mixtureCount = 0
    try model.forward([golden.leaf], observers: [gatherer]) { passage in
      let activity = gatherer.take(passage)
      guard let experts = passage.experts else { return #expect(activity.expertCount == 0) }
      mixtureCount += 1
      let prefix = "model.layers.\(passage.layer).mlp.experts"
      #expect(activity.expertCount == 8 && experts.expertCount == 8)
      // Every token has gone where transformers sends it.
      #expect(activity.counts.map(Double.init) == golden.values("\(prefix).count"))
      #expect(largestError(activity.gateSums, golden.values("\(prefix).gate_sum")) < 1e-6)
      #expect(largestError(activity.normSums, golden.values("\(prefix).norm_sum")) < 1e-6)
      #expect(
        largestError(activity.gatedNormSums, golden.values("\(prefix).gated_norm_sum")) < 1e-6)
    }
    #expect(mixtureCount == (name == "qwen3-moe-dense-f32" ? 1 : 2))
  }

  @Test("moments of experts' neurons, over the tokens of each", arguments: GoldenModel.mixtureNames)
  func expertMoments(name: String) throws {
    let golden = try GoldenModel(name)
    let model = try golden.model(.float32, threads: 2)
    let (moments, activity) = (
      try ExpertMomentsGatherer(model.observerLimits),
      try ExpertActivityGatherer(model.observerLimits)
    )
    try model.forward([golden.leaf], observers: [moments, activity]) { passage in
      let (found, tokens) = (moments.take(passage), activity.take(passage))
      guard passage.experts != nil else { return #expect(found.sums.isEmpty) }
      let prefix = "model.layers.\(passage.layer).mlp.experts"
      let experts = (0..<8).map { found.moments(ofExpert: $0, tokens) }
      #expect(experts.map(\.count) == tokens.counts)
      #expect(
        largestError(experts.flatMap(\.mean), golden.values("\(prefix).input_mean")) < 1e-5)
      #expect(largestError(experts.flatMap(\.m2), golden.values("\(prefix).input_m2")) < 1e-5)
      #expect(found.means(tokens) == experts.flatMap(\.mean))
    }
  }
}
