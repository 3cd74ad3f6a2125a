internal import Coordination
internal import FlapCore

/// Checksums of tensors as they follow the header of a result.
enum ChecksumFrame {
  private static let entryBytes = 4 + Checksum.byteCount
  /// Of each tensor that a model can have there is one: they fit a frame.
  static let largestCount = Limits.chunkBytes / entryBytes

  /// - Precondition: no more than ``largestCount``.
  static func encode(_ checksums: [TensorChecksum]) -> [UInt8] {
    precondition(checksums.count <= largestCount, "Checksums fit one raw frame.")
    return checksums.flatMap { entry in
      (0..<4).map { UInt8(truncatingIfNeeded: entry.tensor >> ($0 * 8)) } + entry.checksum.bytes
    }
  }

  static func decode(_ frame: [UInt8]) throws(WireError) -> [TensorChecksum] {
    guard !frame.isEmpty, frame.count % entryBytes == 0 else {
      throw .invalid(field: "checksums", reason: "\(frame.count) bytes")
    }
    var checksums: [TensorChecksum] = []
    for start in stride(from: 0, to: frame.count, by: entryBytes) {
      let entry = frame[start..<start + entryBytes]
      let tensor = entry.prefix(4).reversed().reduce(0) { $0 << 8 | Int($1) }
      guard tensor < largestCount, let checksum = Checksum(bytes: entry.dropFirst(4)) else {
        throw .invalid(field: "number of a tensor", reason: "\(tensor)")
      }
      checksums.append(TensorChecksum(tensor: tensor, checksum))
    }
    return checksums
  }
}

extension WorkerMessage {
  /// Of the messages that carry some; nil of all others.
  var checksums: [TensorChecksum]? {
    get {
      switch self {
      case .reportBegin(let begin): begin.checksums
      case .shardCommitted(let shard): shard.checksums
      case .taskFailed(let failure): failure.checksums
      default: nil
      }
    }
    set {
      switch self {
      case .reportBegin(var begin):
        begin.checksums = newValue ?? []
        self = .reportBegin(begin)
      case .shardCommitted(var shard):
        shard.checksums = newValue ?? []
        self = .shardCommitted(shard)
      case .taskFailed(var failure):
        failure.checksums = newValue ?? []
        self = .taskFailed(failure)
      default: break
      }
    }
  }
}
