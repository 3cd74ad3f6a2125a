internal import Checkpoint
internal import FlapCore
internal import Logging
internal import Statistics
internal import SystemPackage
internal import TextData
internal import Tokenizer

/// The inputs of a run, opened and checked before any worker starts.
struct RunInputs {
  let checkpoint: Checkpoint
  let directory: FilePath

  var shape: ModelShape { checkpoint.configuration.shape }

  /// - Parameter log: hears what of the checkpoint is not used.
  /// - Throws: one clear line when the checkpoint is incomplete or not of a known family.
  init(model directory: FilePath, _ log: Logger? = nil) throws {
    self.directory = directory
    checkpoint = try Checkpoint(directory: directory)
    try checkpoint.validate()
    try checkpoint.checkTiedEmbeddings()
    for note in checkpoint.notes { log?.warning("\(note)") }
  }

  /// - Throws: ``UsageError`` where the folder's is another model's.
  func tokenizer() throws -> Tokenizer {
    let tokenizer = try TokenizerFolder.load(directory)
    guard tokenizer.vocabularySize <= shape.vocabularySize else {
      throw UsageError(
        "the tokenizer in \(directory) has \(tokenizer.vocabularySize) tokens, its model "
          + "\(shape.vocabularySize): they do not belong together")
    }
    return tokenizer
  }

  /// A pass over samples, checked against the model's vocabulary.
  ///
  /// - Parameters:
  ///   - order: in which text is sampled where the options do not say.
  ///   - stride: of consecutive samples of text.
  ///   - sumsProducts: whether second moments are measured, too.
  ///   - askedOfExperts: what is measured of experts only where it is asked for.
  func pass(
    over path: FilePath, _ options: ForwardOptions, _ cluster: ClusterPlan,
    order: SamplingOrder = .random, stride: Int? = nil, sumsProducts: Bool = false,
    askedOfExperts: Set<StatisticSource> = [], _ console: Console
  ) throws -> SampledPass {
    guard shape.hasExperts || askedOfExperts.isEmpty else {
      let option =
        askedOfExperts.contains(.expertOutputs) ? "--replace-experts" : "--expert-neurons"
      throw UsageError("the model has no experts: leave out \(option)")
    }
    let source = SampleSource(
      path: path, sampleLimit: options.sampleLimit, text: options.text, usualOrder: order,
      stride: stride)
    let tokens = try source.tokens(for: shape, model: directory, console.log)
    let pass = SampledPass(
      shape: shape, tokens: tokens, options: options, cluster, sumsProducts: sumsProducts,
      askedOfExperts: askedOfExperts)
    let unitTokens = pass.samplesPerLeaf * tokens.tokensPerSample * pass.leavesPerUnit
    guard unitTokens <= Limits.tokensPerUnit else {
      throw UsageError(
        "work units of \(unitTokens) tokens are too large, at most \(Limits.tokensPerUnit) go into "
          + "one: give a smaller --leaves-per-unit")
    }
    if let limit = checkpoint.configuration.positionCount, tokens.tokensPerSample > limit {
      let advice = "more than the model was made for (max_position_embeddings \(limit))"
      console.log.warning("samples of \(path) have \(tokens.tokensPerSample) tokens, \(advice)")
    }
    try cluster.checkMemory(of: pass)
    return pass
  }
}
