internal import Checkpoint
internal import FlapCore
internal import Host
internal import Kernels
internal import Measurement
internal import Statistics
internal import SystemPackage
internal import Transformer

/// A worker's forward pass with statistics, a micro-batch at a time.
public struct ForwardContestant: Contestant {
  private let measurement: SampleMeasurement
  private var model: Llama { measurement.model }
  private let leaves: [Leaf]
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
    let model = try Llama(
      checkpoint: checkpoint, compute: options.compute, threadCount: options.threadCount,
      limits: MicroBatchLimits(
        tokensPerSample: layout.tokensPerSample, samplesPerLeaf: layout.samplesPerLeaf,
        leavesPerMicroBatch: layout.leafCount))
    measurement = SampleMeasurement(model)
    phases = PhaseWatch(model)
    let matrix = try TokenMatrix(path: options.tokens)
    try matrix.validate(vocabularySize: model.shape.vocabularySize)
    let needed = options.sampleCount * options.tokensPerSample
    guard matrix.tokens.count >= needed else {
      throw BenchmarkError.tooFewTokens(
        path: options.tokens.string, found: matrix.tokens.count, needed: needed)
    }
    leaves = (0..<layout.leafCount).map { leaf in
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
      "plannedBytes": "\(model.scratchPlan.totalBytes + measuringBytes)",
    ]
  }

  private var measuringBytes: Int {
    SampleMeasurement.byteCount(
      kinds, leafCount: leaves.count, shape: model.shape, model.observerLimits)
  }

  /// What a calibration measures.
  private var kinds: [StatisticKind] { StatisticCatalog.standard.kinds(atTapsOf: model.shape) }

  public var peakBytes: Int? { memory.peakResidentBytes }

  public mutating func takePhaseSeconds() -> [String: Double]? { phases.take() }

  public mutating func runUnit() throws -> Work {
    let node = CanonicalTree(leafCount: leaves.count).root
    let shape = model.shape
    var varianceSum = 0.0
    try measurement.run(
      kinds, leaves, of: node, samplesPerLeaf: leaves[0].sampleCount
    ) {
      memory.sample()
    } emit: { part in
      guard part.key.kind == ChannelMoments.kind else { return }
      let moments = try StatisticCatalog.decode(part, as: ChannelMoments.self, shape)
      varianceSum = moments.variance.reduce(varianceSum, +)
    }
    let tokenCount = leaves.reduce(0) { $0 + $1.tokenCount }
    return Work(
      tokenCount: tokenCount,
      productOperations: shape.productOperations(tokenCount: tokenCount),
      varianceSum: varianceSum)
  }
}
