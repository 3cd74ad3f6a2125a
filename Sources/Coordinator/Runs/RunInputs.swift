internal import Checkpoint
internal import FlapCore
internal import SystemPackage

/// The inputs of a run, opened and checked before any worker starts.
struct RunInputs {
  let checkpoint: Checkpoint
  let directory: FilePath

  var shape: ModelShape { checkpoint.configuration.shape }

  /// - Throws: one clear line when the checkpoint is incomplete or not of a known family.
  init(model directory: FilePath) throws {
    self.directory = directory
    checkpoint = try Checkpoint(directory: directory)
    try checkpoint.validate()
  }

  /// A pass over the token ids of a file, checked against the model's vocabulary.
  func pass(over path: FilePath, _ options: ForwardOptions, _ cluster: ClusterPlan) throws
    -> SampledPass
  {
    var tokens = try TokenMatrix(path: path)
    if let limit = options.sampleLimit {
      guard limit <= tokens.sampleCount else {
        throw UsageError("\(path) has \(tokens.sampleCount) samples, fewer than --samples \(limit)")
      }
      tokens = tokens.prefix(sampleCount: limit)
    }
    try tokens.validate(vocabularySize: shape.vocabularySize)
    let pass = SampledPass(shape: shape, tokens: tokens, options: options, cluster)
    try cluster.checkMemory(of: pass)
    return pass
  }
}
