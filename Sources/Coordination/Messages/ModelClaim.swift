public import FlapCore

/// What a worker says of its copy of the model: the checksums of the tensors that a result was computed
/// from, those left out that came with results that are acknowledged.
///
/// They come in one message with the result, so that no loss of messages parts them: a result is stored
/// only when all of its checksums are those of the coordinator's copy.
public struct ModelClaim: Hashable, Sendable {
  public let worker: WorkerID
  public let checksums: [TensorChecksum]

  public init(_ worker: WorkerID, _ checksums: [TensorChecksum]) {
    self.worker = worker
    self.checksums = checksums
  }
}

/// A tensor of a worker's copy that differs from the coordinator's.
public struct TensorDamage: Hashable, Sendable {
  public let tensor: String
  /// The name of its file.
  public let fileName: String

  public init(tensor: String, fileName: String) {
    self.tensor = tensor
    self.fileName = fileName
  }
}
