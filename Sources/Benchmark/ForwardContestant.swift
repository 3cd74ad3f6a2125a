internal import Checkpoint
internal import FlapCore
internal import Host
internal import Kernels
internal import Statistics
internal import SystemPackage
internal import Transformer

/// A worker's forward pass with statistics, a block of samples at a time.
public struct ForwardContestant: Contestant {
  private let model: Llama
  private let block: [Leaf]
  private let compute: ComputeType
  private var memory = ProcessMemory()
  private var phases: PhaseWatch

  /// - Throws: what is wrong with the model; ``BenchmarkError``.
  public init(_ options: ForwardOptions) throws {
    let checkpoint = try Checkpoint(directory: options.modelDirectory)
    try checkpoint.validate()
    let layout = LeafLayout(
      sampleCount: options.sampleCount, tokensPerSample: options.tokensPerSample)
    compute = options.compute
    model = Llama(
      checkpoint: checkpoint, compute: options.compute, threadCount: options.threadCount,
      limits: BlockLimits(
        tokensPerSample: layout.tokensPerSample, samplesPerLeaf: layout.samplesPerLeaf,
        leavesPerBlock: layout.leafCount))
    phases = PhaseWatch(model)
    let matrix = try TokenMatrix(path: options.tokens)
    try matrix.validate(vocabularySize: model.shape.vocabularySize)
    let needed = options.sampleCount * options.tokensPerSample
    guard matrix.tokens.count >= needed else {
      throw BenchmarkError.tooFewTokens(
        path: options.tokens.string, found: matrix.tokens.count, needed: needed)
    }
    block = (0..<layout.leafCount).map { leaf in
      let samples = layout.samples(ofLeaf: leaf)
      let tokens = matrix.tokens[
        samples.lowerBound * layout.tokensPerSample..<samples.upperBound * layout.tokensPerSample]
      return Leaf(
        tokens: Array(tokens), sampleCount: samples.count,
        tokensPerSample: layout.tokensPerSample)
    }
  }

  public var details: [String: String] {
    [
      "kernels": KernelFingerprint.current(compute: compute),
      "threads": "\(model.split.threadCount)",
      "lanes": "\(model.split.laneCount)",
      "plannedBytes": "\(model.scratchPlan.totalBytes)",
    ]
  }

  public var peakBytes: Int? { memory.peakResidentBytes }

  public mutating func takePhaseSeconds() -> [String: Double]? { phases.take() }

  public mutating func runUnit() throws -> Work {
    let moments = try model.calibrate(block) { memory.sample() }
    let tokenCount = block.reduce(0) { $0 + $1.tokenCount }
    return Work(
      tokenCount: tokenCount,
      productOperations: model.shape.productOperations(tokenCount: tokenCount),
      varianceSum: moments.reduce(0) { $1.variance.reduce($0, +) })
  }
}
