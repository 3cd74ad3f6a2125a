/// How calibration or evaluation samples become the leaves of the canonical tree.
///
/// A leaf is a fixed number of whole samples of about `targetTokensPerLeaf` tokens: enough rows for
/// a matrix product to run well, few enough to share out. It depends on the run's data and options
/// only, never on the workers, since the split into leaves decides the bits of the result.
public struct LeafLayout: Hashable, Sendable {
  /// Independent sequences.
  public let sampleCount: Int
  public let tokensPerSample: Int
  /// Samples of every leaf but the last, which has the rest.
  public let samplesPerLeaf: Int

  public static let defaultTokensPerLeaf = 2048

  /// - Precondition: all are at least 1.
  public init(
    sampleCount: Int, tokensPerSample: Int,
    targetTokensPerLeaf: Int = LeafLayout.defaultTokensPerLeaf
  ) {
    precondition(
      sampleCount > 0 && tokensPerSample > 0 && targetTokensPerLeaf > 0,
      "A run has samples, samples have tokens.")
    self.sampleCount = sampleCount
    self.tokensPerSample = tokensPerSample
    samplesPerLeaf = max(1, targetTokensPerLeaf / tokensPerSample)
  }

  public var leafCount: Int { (sampleCount - 1) / samplesPerLeaf + 1 }

  public var tree: CanonicalTree { CanonicalTree(leafCount: leafCount) }

  /// The samples of one leaf.
  public func samples(ofLeaf leaf: Int) -> Range<Int> {
    precondition((0..<leafCount).contains(leaf), "There is no such leaf.")
    return samples(ofLeaves: leaf..<leaf + 1)
  }

  /// The samples below a node of ``tree``.
  public func samples(of node: TreeNode) -> Range<Int> {
    samples(ofLeaves: tree.leaves(of: node))
  }

  private func samples(ofLeaves leaves: Range<Int>) -> Range<Int> {
    // The last leaf's upper bound is the count itself, so that the product cannot overflow.
    let upper =
      leaves.upperBound == leafCount ? sampleCount : leaves.upperBound * samplesPerLeaf
    return leaves.lowerBound * samplesPerLeaf..<upper
  }
}
