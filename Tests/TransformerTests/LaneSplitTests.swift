import Checkpoint
import FlapCore
import Testing
import Transformer

/// How threads are shared among leaves.
struct LaneSplitTests {
  private func lanes(_ threads: Int, hidden: Int, tokens: Int = 2048, leaves: Int = 16) throws
    -> Int
  {
    try LaneSplit(
      threadCount: threads, laneCount: nil, shape: shape(hidden),
      limits: MicroBatchLimits(
        tokensPerSample: tokens, samplesPerLeaf: 1, leavesPerMicroBatch: leaves)
    ).laneCount
  }

  private func shape(_ hidden: Int) throws -> ModelShape {
    var shape = try GoldenModel("mha-f32").checkpoint.configuration.shape
    shape.hiddenSize = hidden
    return shape
  }

  @Test("a small model's threads work each on its own leaf, a large one's together")
  func widths() throws {
    #expect(try lanes(4, hidden: 384) == 4)
    #expect(try lanes(4, hidden: 2048) == 1)
    #expect(try lanes(8, hidden: 2048) == 2)
    #expect(try lanes(8, hidden: 4096) == 1)
    #expect(try lanes(64, hidden: 4096) == 8)
  }

  @Test("there are never more lanes than leaves, threads, or than were asked for")
  func limits() throws {
    #expect(try lanes(16, hidden: 384, leaves: 3) == 3)
    #expect(try lanes(1, hidden: 384) == 1)
    let limits = MicroBatchLimits(tokensPerSample: 8, samplesPerLeaf: 1, leavesPerMicroBatch: 16)
    for (asked, given) in [(1, 1), (3, 3), (9, 4)] {
      let split = try LaneSplit(threadCount: 4, laneCount: asked, shape: shape(384), limits: limits)
      #expect(split.laneCount == given)
    }
  }
}
