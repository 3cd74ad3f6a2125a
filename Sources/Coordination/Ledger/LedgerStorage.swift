public import FlapCore
public import Statistics

/// Names a result that a run keeps.
public enum LedgerKey: Hashable, Sendable {
  /// The merged value of a node of the canonical tree.
  case node(TreeNode)
  /// The weight norms of a layer.
  case norms(layer: Int)
  /// A shard of the checkpoint, which stands in the output folder.
  case shard(index: Int)
}

/// One line of a run's journal: what was computed and where it lies.
public struct LedgerRecord: Hashable, Sendable {
  public let key: LedgerKey
  public let fileName: String
  public let byteCount: Int
  public let digest: Digest

  public init(key: LedgerKey, fileName: String, byteCount: Int, digest: Digest) {
    self.key = key
    self.fileName = fileName
    self.byteCount = byteCount
    self.digest = digest
  }
}

/// Where a ``RunLedger`` keeps things: a disk and a journal, or what stands in for them.
public protocol LedgerStorage {
  /// Writes a file; when this returns, it survives a power cut.
  mutating func write(_ bytes: [UInt8], to fileName: String) throws
  mutating func read(_ fileName: String) throws -> [UInt8]
  /// Adds a record and drops others, all or nothing; when this returns, it survives a power cut.
  mutating func commit(_ record: LedgerRecord, removing: [LedgerKey]) throws
  /// Removes a file that no record names. One that stays is only waste.
  mutating func remove(_ fileName: String)
}

/// Keeps results in memory, for work that is cheaper to do again than to save.
public struct MemoryLedgerStorage: LedgerStorage {
  private var files: [String: [UInt8]] = [:]

  public init() {}

  public mutating func write(_ bytes: [UInt8], to fileName: String) { files[fileName] = bytes }
  public func read(_ fileName: String) -> [UInt8] { files[fileName] ?? [] }
  public func commit(_ record: LedgerRecord, removing: [LedgerKey]) {}
  public mutating func remove(_ fileName: String) { files[fileName] = nil }
}
