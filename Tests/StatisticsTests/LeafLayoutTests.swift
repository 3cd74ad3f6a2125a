import Statistics
import Testing

@Suite struct LeafLayoutTests {
  @Test(arguments: [
    // samples, tokens per sample, target, samples per leaf, leaves
    (1024, 128, 2048, 16, 64), (1000, 128, 2048, 16, 63), (1, 128, 2048, 16, 1),
    (16, 128, 2048, 16, 1), (17, 128, 2048, 16, 2), (5, 4096, 2048, 1, 5),
    (5, 1000, 2048, 2, 3), (3, 1, 1, 1, 3), (Int.max, 1, 1, 1, Int.max),
  ])
  func samplesPerLeafFollowTheTarget(
    samples: Int, tokens: Int, target: Int, perLeaf: Int, leaves: Int
  ) {
    let layout = LeafLayout(
      sampleCount: samples, tokensPerSample: tokens, targetTokensPerLeaf: target)
    #expect(layout.samplesPerLeaf == perLeaf)
    #expect(layout.leafCount == leaves)
  }

  @Test(arguments: 1...100)
  func everySampleIsInOneLeaf(sampleCount: Int) {
    let layout = LeafLayout(
      sampleCount: sampleCount, tokensPerSample: 10, targetTokensPerLeaf: 70)
    var next = 0
    for leaf in 0..<layout.leafCount {
      let samples = layout.samples(ofLeaf: leaf)
      #expect(samples.lowerBound == next && !samples.isEmpty && samples.count <= 7)
      #expect(layout.samples(of: .leaf(leaf)) == samples)
      next = samples.upperBound
    }
    #expect(next == sampleCount)
    #expect(layout.samples(of: layout.tree.root) == 0..<sampleCount)
  }

  @Test func anInnerNodeHasItsLeavesSamples() {
    let layout = LeafLayout(sampleCount: 70, tokensPerSample: 128)
    #expect(layout.samples(of: TreeNode(level: 1, index: 1)) == 32..<64)
    #expect(layout.samples(of: TreeNode(level: 1, index: 2)) == 64..<70)
  }
}
