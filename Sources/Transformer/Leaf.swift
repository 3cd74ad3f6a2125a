/// A fixed number of whole samples: what goes through a matrix product together.
///
/// Each sample is an independent sequence that begins at position 0. All numbers that a leaf
/// yields depend on the leaf alone: not on the micro-batch it is in, nor on the number of threads.
public struct Leaf: Sendable {
  /// Token ids: of samples of one length row-major [sampleCount, tokensPerSample]; else group by
  /// group the beginning, then what each sample has beyond it.
  public let tokens: [Int32]
  public let sampleCount: Int
  /// Of the longest.
  public let tokensPerSample: Int
  let layout: RowLayout

  /// - Precondition: the counts fit, and there is at least one sample of one token.
  public init(tokens: [Int32], sampleCount: Int, tokensPerSample: Int) {
    precondition(sampleCount > 0 && tokensPerSample > 0)
    precondition(tokens.count == sampleCount * tokensPerSample)
    self.tokens = tokens
    self.sampleCount = sampleCount
    self.tokensPerSample = tokensPerSample
    layout = RowLayout(sampleCount: sampleCount, tokensPerSample: tokensPerSample)
  }

  /// Samples of any lengths, of which some share what they begin with: that is computed once.
  ///
  /// - Precondition: there is a group, and every sample has a token.
  public init(_ groups: [SampleGroup]) {
    let lengths = groups.flatMap(\.sampleLengths)
    precondition(!groups.isEmpty && lengths.allSatisfy { $0 > 0 })
    tokens = groups.flatMap { $0.beginning + $0.branches.joined() }
    sampleCount = lengths.count
    tokensPerSample = lengths.max()!
    layout = RowLayout(groups)
  }

  public var tokenCount: Int { tokens.count }

  /// Of its matrices.
  public var rowCount: Int { layout.rowCount }
}

/// Samples that begin alike.
public struct SampleGroup: Hashable, Sendable {
  public let beginning: [Int32]
  /// What each sample has beyond the beginning; none: the beginning is a sample of its own.
  public let branches: [[Int32]]

  public init(beginning: [Int32], branches: [[Int32]] = []) {
    self.beginning = beginning
    self.branches = branches
  }

  /// Tokens of each sample.
  public var sampleLengths: [Int] {
    branches.isEmpty ? [beginning.count] : branches.map { beginning.count + $0.count }
  }
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

  /// Whether there is room for so many samples of these lengths, if none shares its beginning with
  /// another: operands of attention are tiles of 16 and of 32 tokens, each sample's its own.
  public func admits(sampleLengths: some Sequence<Int>) -> Bool {
    var (panels, pairs) = (0, 0)
    for length in sampleLengths {
      guard length <= tokensPerSample else { return false }
      panels += MicroBatchLimits.blocks(length, of: 16)
      pairs += MicroBatchLimits.blocks(length, of: 32)
    }
    return panels <= samplesPerLeaf * MicroBatchLimits.blocks(tokensPerSample, of: 16)
      && pairs <= samplesPerLeaf * MicroBatchLimits.blocks(tokensPerSample, of: 32)
  }

  private static func blocks(_ count: Int, of size: Int) -> Int { (count + size - 1) / size }

  func admits(_ microBatch: [Leaf]) -> Bool {
    microBatch.count <= leavesPerMicroBatch
      && microBatch.allSatisfy {
        $0.layout.rowCount <= rowsPerLeaf && admits(sampleLengths: $0.layout.sampleLengths)
      }
  }
}
