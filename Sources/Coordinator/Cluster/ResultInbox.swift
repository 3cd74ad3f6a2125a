internal import Coordination
internal import FlapCore
internal import Host
internal import Statistics
internal import Storage
internal import Synchronization
internal import SystemPackage

/// Results on their way in, all of them on disk: reports in files without a name, shards of a
/// gathering run beside their place.
struct ResultInbox {
  // References, so that files, which have one owner, can stand in a dictionary.
  private final class ReportFile {
    private var file: SpoolWriter?
    init(_ file: consuming SpoolWriter) { self.file = consume file }
    func append(_ bytes: [UInt8]) throws { try file?.write(bytes) }
    func finish() throws -> SpooledFile? { try file.take()?.finish() }
  }

  private enum Incoming {
    case report(ReportFile)
    case shard(ReceivedShard)
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
      return .shard(ReceivedShard(file))
    }
    return .report(ReportFile(try SpoolWriter(in: folder)))
  }

  mutating func discard(_ attempt: TaskAttempt) { incoming[attempt] = nil }

  /// The result that has come; nil where nothing has.
  mutating func take(_ attempt: TaskAttempt) throws -> ReceivedResult? {
    switch incoming.removeValue(forKey: attempt) {
    case .report(let report): try report.finish().map(ReceivedResult.report)
    case .shard(let shard): .shard(shard)
    case nil: nil
    }
  }
}

/// What has come of a worker's result, complete, to be checked and made safe.
enum ReceivedResult: Sendable {
  case report(SpooledFile)
  case shard(ReceivedShard)
}

extension ReportReader {
  init(_ file: SpooledFile) {
    self.init(byteCount: file.byteCount, digest: file.digest) { try file.bytes(in: $0) }
  }
}

/// A shard beside its place. One thread writes it, and hands it to one that commits it.
final class ReceivedShard: Sendable {
  private let file: Mutex<AtomicFile?>

  init(_ file: consuming sending AtomicFile) { self.file = Mutex(consume file) }

  func write(_ bytes: [UInt8]) throws { try file.withLock { try $0?.write(bytes) } }

  /// Puts it in its place.
  /// - Returns: nil when it is not what its digest says.
  func commit(expecting digest: Digest) throws -> CommittedFile? {
    try file.withLock { try $0.take()?.commit(expecting: digest) }
  }
}
