/// A fixed number of whole samples: what goes through a matrix product together.
///
/// Each sample is an independent sequence that begins at position 0. All numbers that a leaf
/// yields depend on the leaf alone: not on the micro-batch it is in, nor on the number of threads.
public struct Leaf: Sendable {
  /// Token ids, row-major [sampleCount, tokensPerSample].
  public let tokens: [Int32]
  public let sampleCount: Int
  public let tokensPerSample: Int

  /// - Precondition: the counts fit, and there is at least one sample of one token.
  public init(tokens: [Int32], sampleCount: Int, tokensPerSample: Int) {
    precondition(sampleCount > 0 && tokensPerSample > 0)
    precondition(tokens.count == sampleCount * tokensPerSample)
    self.tokens = tokens
    self.sampleCount = sampleCount
    self.tokensPerSample = tokensPerSample
  }

  public var tokenCount: Int { tokens.count }
}

/// The most that one call of the forward pass takes; scratch is allocated for it.
public struct MicroBatchLimits: Hashable, Sendable {
  public var tokensPerSample: Int
  public var samplesPerLeaf: Int
  public var leavesPerMicroBatch: Int

  public init(tokensPerSample: Int, samplesPerLeaf: Int, leavesPerMicroBatch: Int) {
    self.tokensPerSample = tokensPerSample
    self.samplesPerLeaf = samplesPerLeaf
    self.leavesPerMicroBatch = leavesPerMicroBatch
  }

  public var tokensPerLeaf: Int { tokensPerSample * samplesPerLeaf }

  /// Of a leaf's matrices, at most.
  public var rowsPerLeaf: Int { RowLayout(self).rowCount }

  func admits(_ microBatch: [Leaf]) -> Bool {
    microBatch.count <= leavesPerMicroBatch
      && microBatch.allSatisfy {
        $0.tokensPerSample <= tokensPerSample && $0.sampleCount <= samplesPerLeaf
      }
  }
}
