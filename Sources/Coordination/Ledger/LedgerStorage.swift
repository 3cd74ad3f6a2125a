public import FlapCore
public import Statistics
internal import Synchronization

/// Names a result that a run keeps.
public enum LedgerKey: Hashable, Sendable {
  case statistic(StatisticKey)
  /// A shard of the checkpoint, which stands in the output folder.
  case shard(index: Int)
}

/// One line of a run's journal: what was computed and where it lies.
public struct LedgerRecord: Hashable, Sendable {
  public let key: LedgerKey
  public let fileName: String
  /// Where in the file: the parts of one report lie one after another.
  public let bytes: Range<Int>
  /// Of these bytes.
  public let digest: Digest

  public init(key: LedgerKey, fileName: String, bytes: Range<Int>, digest: Digest) {
    self.key = key
    self.fileName = fileName
    self.bytes = bytes
    self.digest = digest
  }
}

/// Where a ``RunLedger`` keeps things: a disk and a journal, or what stands in for them.
public protocol LedgerStorage: AnyObject, Sendable {
  typealias Append = (_ bytes: [UInt8]) throws -> Void

  /// Writes a file; when this returns true, it survives a power cut.
  ///
  /// - Parameter body: appends to the file; where it returns false, or throws, there is no file.
  /// - Returns: what `body` returns.
  func write(_ fileName: String, _ body: (Append) throws -> Bool) throws -> Bool
  func read(_ fileName: String, _ bytes: Range<Int>) throws -> [UInt8]
  /// Adds records and drops others, all or nothing; when this returns, it survives a power cut.
  func commit(_ records: [LedgerRecord], removing: [LedgerKey]) throws
  /// Removes a file that no record names. One that stays is only waste.
  func remove(_ fileName: String)
}

/// Keeps results in memory, for work that is cheaper to do again than to save.
public final class MemoryLedgerStorage: LedgerStorage {
  private let files = Mutex<[String: [UInt8]]>([:])

  public init() {}

  public func write(_ fileName: String, _ body: (Append) throws -> Bool) rethrows -> Bool {
    var written: [UInt8] = []
    guard try body({ written += $0 }) else { return false }
    files.withLock { [written] in $0[fileName] = written }
    return true
  }

  public func read(_ fileName: String, _ bytes: Range<Int>) -> [UInt8] {
    guard let file = files.withLock({ $0[fileName] }), bytes.upperBound <= file.count else {
      return []
    }
    return Array(file[bytes])
  }

  public func commit(_ records: [LedgerRecord], removing: [LedgerKey]) {}
  public func remove(_ fileName: String) { files.withLock { $0[fileName] = nil } }
}
