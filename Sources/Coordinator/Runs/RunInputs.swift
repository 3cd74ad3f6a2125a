internal import Checkpoint
internal import FlapCore
public import SystemPackage

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

  /// Reads token ids and checks them against the model's vocabulary.
  func tokens(at path: FilePath, firstSamples limit: Int?) throws -> TokenMatrix {
    var tokens = try TokenMatrix(path: path)
    if let limit {
      guard limit <= tokens.sampleCount else {
        throw UsageError(
          "\(path) has \(tokens.sampleCount) samples, fewer than --samples \(limit)")
      }
      tokens = tokens.prefix(sampleCount: limit)
    }
    try tokens.validate(vocabularySize: shape.vocabularySize)
    return tokens
  }
}
