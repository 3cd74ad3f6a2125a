internal import Coordination
internal import FlapCore
internal import Storage
internal import SystemPackage

/// Results on their way in: reports in memory, shards of a gathering run on disk.
struct ResultInbox {
  /// A reference, so that files, which have one owner, can stand in a dictionary.
  private final class ShardFile {
    var file: AtomicFile?
    init(_ file: consuming AtomicFile) { self.file = consume file }
    func write(_ bytes: [UInt8]) throws { try file!.write(bytes) }
  }

  private enum Incoming {
    case report([UInt8])
    case shard(ShardFile)
  }

  /// Where a shard belongs; nil where workers write shards themselves.
  var shardPath: ((_ index: Int) -> FilePath)?
  /// Bytes of a report of moments, so that one takes no more memory while it grows.
  var momentsByteCount = 0
  private var incoming: [TaskAttempt: Incoming] = [:]

  mutating func append(_ bytes: [UInt8], to attempt: TaskAttempt, of work: Work) throws {
    if case .writeShard(let index) = work, let shardPath {
      try append(bytes, to: attempt, at: shardPath(index))
    } else if case .report(var report) = incoming.removeValue(forKey: attempt) {
      report += bytes
      incoming[attempt] = .report(report)
    } else if case .calibrate = work, bytes.count < momentsByteCount {
      var report: [UInt8] = []
      report.reserveCapacity(momentsByteCount)
      report += bytes
      incoming[attempt] = .report(report)
    } else {
      incoming[attempt] = .report(bytes)
    }
  }

  private mutating func append(_ bytes: [UInt8], to attempt: TaskAttempt, at path: FilePath) throws
  {
    if case .shard(let shard) = incoming[attempt] { return try shard.write(bytes) }
    let shard = ShardFile(try AtomicFile(destination: path, attempt: attempt.fileSuffix))
    incoming[attempt] = .shard(shard)
    try shard.write(bytes)
  }

  mutating func discard(_ attempt: TaskAttempt) { incoming[attempt] = nil }

  /// The bytes of a report.
  mutating func takeReport(_ attempt: TaskAttempt) -> [UInt8] {
    guard case .report(let bytes) = incoming.removeValue(forKey: attempt) else { return [] }
    return bytes
  }

  /// Puts a received shard in its place.
  /// - Returns: nil when it is not what its digest says.
  mutating func commitShard(_ attempt: TaskAttempt, expecting digest: Digest) throws
    -> CommittedFile?
  {
    guard case .shard(let shard) = incoming.removeValue(forKey: attempt) else { return nil }
    return try shard.file.take()!.commit(expecting: digest)
  }
}
