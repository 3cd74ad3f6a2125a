import FlapCore
import Kernels
import Measurement
import Statistics
import Testing
import Transformer

/// A leaf's numbers depend on the leaf alone.
struct DeterminismTests {
  @Test(
    "bits do not depend on the threads", arguments: ComputeType.allCases, GoldenModel.names)
  func threads(compute: ComputeType, name: String) throws {
    let golden = try GoldenModel(name)
    let expected = try golden.model(compute, threads: 1).logits(of: golden.leaf)
    for threads in 2...5 {
      let logits = try golden.model(compute, threads: threads).logits(of: golden.leaf)
      #expect(logits == expected, "\(threads) threads")
    }
  }

  @Test("nor on the micro-batch that a leaf is in", arguments: ComputeType.allCases)
  func microBatches(compute: ComputeType) throws {
    let golden = try GoldenModel("gqa-llama3-bf16")
    let leaves = (0..<3).map { golden.leaf($0..<$0 + 1) }
    let together = try losses(golden.model(compute, leaves: 3), leaves)
    let model = try golden.model(compute)
    for (leaf, expected) in zip(leaves, together) {
      #expect(try losses(model, [leaf]) == [expected])
    }
  }

  @Test(
    "nor on the lanes: leaves are computed together and seen in their order",
    arguments: [(2, 2), (3, 2), (5, 4), (4, 1), (2, 8)])
  func lanes(threads: Int, lanes: Int) throws {
    let golden = try GoldenModel("gqa-llama3-bf16")
    let microBatch = [0..<2, 1..<3, 0..<1, 2..<3, 0..<3].map { golden.leaf($0) }
    func taps(_ model: Llama) throws -> [Seen] {
      var seen: [Seen] = []
      let gatherer = try MomentsGatherer(model.observerLimits)
      try model.forward(microBatch, observers: [gatherer]) {
        seen.append(
          Seen(layer: $0.layer, tap: $0.tap, leaf: $0.leaf, moments: gatherer.take($0)))
      }
      return seen
    }
    let expected = try taps(golden.model(.bfloat16, leaves: 5))
    #expect(expected.map(\.leaf).prefix(10) == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4])
    let model = try golden.model(.bfloat16, threads: threads, lanes: lanes, leaves: 5)
    #expect(try taps(model) == expected)
    #expect(try taps(model) == expected, "once more with the same scratch")
  }

  private struct Seen: Equatable {
    let layer: Int
    let tap: Tap
    let leaf: Int
    let moments: ChannelMoments
  }

  private func losses(_ model: Llama, _ leaves: [Leaf]) throws -> [LeafLoss] {
    try model.forward(leaves)
    return try model.losses(of: leaves) {}
  }

  @Test("nor on what the scratch held before")
  func scratch() throws {
    let golden = try GoldenModel("mha-f32")
    let fresh = try golden.model(.float32).logits(of: golden.leaf(0..<1))
    let used = try golden.model(.float32)
    _ = try used.logits(of: golden.leaf)
    #expect(try used.logits(of: golden.leaf(0..<1)) == fresh)
  }

  @Test("scratch is what the plan says, and more threads and lanes need more of it")
  func plan() throws {
    let golden = try GoldenModel("mha-f32")
    let plan = try golden.model(.float32, threads: 2, lanes: 1, leaves: 3).scratchPlan
    // 3 samples of 37 tokens in 48 rows each: f32 [144, 32] is 18432 bytes, five pages, per leaf.
    #expect(plan.residualBytes == 3 * 5 * 4096)
    let one = try golden.model(.float32, threads: 1, leaves: 3).scratchPlan
    #expect(plan.totalBytes - one.totalBytes == one.threadBytes)
    let lanes = try golden.model(.float32, threads: 2, lanes: 2, leaves: 3).scratchPlan
    #expect(lanes.totalBytes - plan.totalBytes == plan.laneBytes)
  }

  @Test("a token outside the vocabulary is refused")
  func token() throws {
    let golden = try GoldenModel("mha-f32")
    let leaf = Leaf(tokens: [1, 90], sampleCount: 1, tokensPerSample: 2)
    #expect(throws: TransformerError.tokenOutsideVocabulary(token: 90, vocabularySize: 90)) {
      try golden.model(.float32).forward([leaf])
    }
  }

  @Test("what a tap throws ends the pass")
  func cancellation() throws {
    struct Stop: Error {}
    let golden = try GoldenModel("mha-f32")
    var taps = 0
    #expect(throws: Stop.self) {
      try golden.model(.float32).forward([golden.leaf]) { _ in
        taps += 1
        if taps == 2 { throw Stop() }
      }
    }
    #expect(taps == 2)
  }
}
