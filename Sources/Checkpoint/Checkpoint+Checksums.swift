public import FlapCore
internal import Storage
internal import Synchronization
internal import SystemPackage

/// Checksums of whole tensors, each taken once in a process: by whoever reads all of the tensor first,
/// when its bytes come from the disk anyway.
extension Checkpoint {
  /// Whether the tensor's checksum was taken before.
  public func hasChecksum(_ name: String) -> Bool {
    taken.withLock { $0.byName[storedName(of: name)] != nil }
  }

  /// The checksum of a tensor's bytes, taken now if it was not before; nil where there is no such
  /// tensor. Of a part it is that of the whole (``storedName(of:)``).
  @discardableResult
  public func checksum(_ name: String) -> Checksum? {
    let name = storedName(of: name)
    if let known = taken.withLock({ $0.byName[name] }) { return known }
    guard let view = file(of: name)?.tensor(name) else { return nil }
    let checksum = Checksum(of: view.bytes)
    taken.withLock { $0.note(checksum, of: name) }
    return checksum
  }

  /// Those that were taken so far, in that order.
  public var checksums: [TensorChecksum] {
    taken.withLock { taken in
      taken.order.map { TensorChecksum(tensor: positions[$0]!, taken.byName[$0]!) }
    }
  }

  /// Identity of every bit of the weights, whatever their path and shards: SHA-256 over the names of
  /// all tensors and their checksums. Reads all that was not read before.
  public var fullDigest: Digest {
    var builder = DigestBuilder()
    for name in tensorNames {
      guard let checksum = checksum(name) else { continue }
      builder.update("\(name) \(checksum)\n")
    }
    return builder.finalize()
  }

  /// The names of all tensors in the order in which they lie in the files.
  public var tensorNamesInFileOrder: [String] {
    tensorNames.map { name in
      let file = file(of: name)
      let start = file?.header.tensors.first { $0.name == name }?.byteRange.lowerBound
      return (name, file?.path.string ?? "", start ?? 0)
    }.sorted { ($0.1, $0.2) < ($1.1, $1.2) }.map(\.0)
  }

  /// The path of the file that has a tensor.
  public func path(of name: String) -> String? { file(of: name)?.path.string }

  struct Taken {
    var byName: [String: Checksum] = [:]
    var order: [String] = []

    mutating func note(_ checksum: Checksum, of name: String) {
      if byName.updateValue(checksum, forKey: name) == nil { order.append(name) }
    }
  }
}
