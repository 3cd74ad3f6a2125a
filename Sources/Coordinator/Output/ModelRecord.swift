internal import Checkpoint
internal import FlapCore

/// What a run's record says of the model: the checksum of every tensor, so that one that has changed
/// is found by name.
struct ModelRecord: Codable {
  let fullDigest: String
  /// XXH3-128 in hexadecimal, by the tensors' names.
  let tensors: [String: String]

  /// Reads what was not read yet.
  init(_ checkpoint: Checkpoint) {
    fullDigest = checkpoint.fullDigest.hexadecimal
    tensors = Dictionary(
      uniqueKeysWithValues: checkpoint.tensorNames.map {
        ($0, checkpoint.checksum($0)?.hexadecimal ?? "")
      })
  }

  var checksums: [String: Checksum] { tensors.compactMapValues(Checksum.init(hexadecimal:)) }
}
