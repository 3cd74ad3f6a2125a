internal import Coordination
internal import FlapCore
internal import Host
internal import Statistics
internal import Storage
internal import SystemPackage

/// Results on their way in, all of them on disk: reports in files without a name, shards of a
/// gathering run beside their place.
struct ResultInbox {
  // References, so that files, which have one owner, can stand in a dictionary.
  private final class ShardFile {
    var file: AtomicFile?
    init(_ file: consuming AtomicFile) { self.file = consume file }
    func write(_ bytes: [UInt8]) throws { try file?.write(bytes) }
  }

  private final class ReportFile {
    private var file: SpoolWriter?
    init(_ file: consuming SpoolWriter) { self.file = consume file }
    func append(_ bytes: [UInt8]) throws { try file?.append(bytes) }
    func finish() -> SpooledFile? { file.take()?.finish() }
  }

  private enum Incoming {
    case report(ReportFile)
    case shard(ShardFile)
  }

  /// Where a shard belongs; nil where workers write shards themselves.
  var shardPath: ((_ index: Int) -> FilePath)?
  /// On whose disk reports wait.
  private let folder: FilePath
  private var incoming: [TaskAttempt: Incoming] = [:]

  init(folder: FilePath = Host.temporaryFolder) { self.folder = folder }

  mutating func append(_ bytes: [UInt8], to attempt: TaskAttempt, of work: Work) throws {
    switch incoming[attempt] {
    case .report(let report): try report.append(bytes)
    case .shard(let shard): try shard.write(bytes)
    case nil:
      incoming[attempt] = try begin(attempt, of: work)
      try append(bytes, to: attempt, of: work)
    }
  }

  private func begin(_ attempt: TaskAttempt, of work: Work) throws -> Incoming {
    if case .writeShard(let index) = work, let shardPath {
      let file = try AtomicFile(destination: shardPath(index), attempt: attempt.fileSuffix)
      return .shard(ShardFile(file))
    }
    return .report(ReportFile(try SpoolWriter(in: folder)))
  }

  mutating func discard(_ attempt: TaskAttempt) { incoming[attempt] = nil }

  /// The report that has come; nil where there is none.
  mutating func takeReport(_ attempt: TaskAttempt) -> ReportReader? {
    guard case .report(let report) = incoming.removeValue(forKey: attempt),
      let file = report.finish()
    else { return nil }
    return ReportReader(byteCount: file.byteCount, digest: file.digest) {
      try file.bytes(in: $0)
    }
  }

  /// Puts a received shard in its place.
  /// - Returns: nil when it is not what its digest says.
  mutating func commitShard(_ attempt: TaskAttempt, expecting digest: Digest) throws
    -> CommittedFile?
  {
    guard case .shard(let shard) = incoming.removeValue(forKey: attempt) else { return nil }
    return try shard.file.take()?.commit(expecting: digest)
  }
}
