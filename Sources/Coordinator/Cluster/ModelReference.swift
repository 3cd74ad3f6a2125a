internal import Checkpoint
internal import Coordination
internal import FlapCore
internal import Foundation
internal import Synchronization
internal import SystemPackage

/// The coordinator's own copy of the model, which every worker's is compared with.
///
/// From the start of a run its tensors are read on a thread of their own, in the order of the files;
/// one that is asked for earlier is read at once by who asks.
final class ModelReference: Sendable {
  /// Makes checksums safe: a run that is resumed must find the model as it was.
  typealias Record = @Sendable (_ checksums: [String: Checksum]) throws -> Void

  private let checkpoint: Checkpoint
  /// By a tensor's name, as an earlier life of the run has found it.
  private let recorded: Mutex<[String: Checksum]>
  private let record: Record

  init(
    _ checkpoint: Checkpoint, recorded: [String: Checksum] = [:],
    record: @escaping Record = { _ in }
  ) {
    self.checkpoint = checkpoint
    self.recorded = Mutex(recorded)
    self.record = record
  }

  /// Begins to read.
  func start() {
    let thread = Thread { [self] in
      for name in checkpoint.tensorNamesInFileOrder {
        checkpoint.checksum(name)
      }
    }
    thread.name = "reference"
    thread.start()
  }

  /// The first tensor in which a worker's copy is another than this; nil where there is none. What
  /// agrees is on record then.
  ///
  /// - Throws: ``ModelError``, and what the record throws.
  func damage(in claim: ModelClaim) throws -> TensorDamage? {
    var agreed: [String: Checksum] = [:]
    let names = checkpoint.tensorNames
    for claimed in claim.checksums {
      guard names.indices.contains(claimed.tensor) else {
        return TensorDamage(tensor: "tensor \(claimed.tensor)", fileName: "a file")
      }
      let name = names[claimed.tensor]
      guard try checksum(name) == claimed.checksum else {
        return TensorDamage(tensor: name, fileName: fileName(of: name))
      }
      agreed[name] = claimed.checksum
    }
    try note(agreed)
    return nil
  }

  /// Reads what was not read yet.
  ///
  /// - Returns: the model's full digest.
  /// - Parameter check: throws when nobody waits for it any more.
  /// - Throws: ``ModelError`` when the model is not the one that the run began with.
  func finish(_ check: () throws -> Void) throws -> Digest {
    for name in checkpoint.tensorNamesInFileOrder {
      try check()
      _ = try checksum(name)
    }
    return checkpoint.fullDigest
  }

  private func checksum(_ name: String) throws -> Checksum? {
    let checksum = checkpoint.checksum(name)
    if let earlier = recorded.withLock({ $0[name] }), earlier != checksum {
      throw ModelError.changed(tensor: name, path: checkpoint.path(of: name) ?? "")
    }
    return checksum
  }

  private func fileName(of tensor: String) -> String {
    checkpoint.path(of: tensor).flatMap { FilePath($0).lastComponent?.string } ?? ""
  }

  /// Puts on record what is not there yet.
  private func note(_ checksums: [String: Checksum]) throws {
    let new = recorded.withLock { recorded in checksums.filter { recorded[$0.key] == nil } }
    guard !new.isEmpty else { return }
    try record(new)
    recorded.withLock { $0.merge(new) { first, _ in first } }
  }
}

/// A model that is not what it was.
enum ModelError: Error, Hashable, Sendable, CustomStringConvertible {
  case changed(tensor: String, path: String)

  var description: String {
    switch self {
    case .changed(let tensor, let path):
      "the model has changed since this run began: \(tensor) in \(path): put the model back as it "
        + "was, or begin a new run"
    }
  }
}
