public import FlapCore
public import Statistics

/// What a run has computed, kept so that it is never computed again.
///
/// Values of tree nodes are merged with their siblings' as they come, left before right, and only
/// what is left after merging is kept: of W workers that are at it at once, at most W values are
/// on disk and three in memory. A result is safe when ``keep(_:expecting:of:)`` returns: its file is
/// written first, then one journal record replaces those that it makes superfluous, then their
/// files go. A crash between any two of these steps loses nothing that was safe and leaves at
/// most files that nobody names.
public struct RunLedger {
  /// Merges the encoded values of two siblings.
  public typealias Merge = (_ left: [UInt8], _ right: [UInt8]) throws -> [UInt8]

  private var storage: any LedgerStorage
  private var records: [LedgerKey: LedgerRecord] = [:]
  private var frontier: TreeFrontier?
  private let merge: Merge
  private let digest: (_ bytes: [UInt8]) -> Digest

  /// - Parameters:
  ///   - records: what an earlier run under the same terms has kept.
  ///   - tree: of the samples; nil for a run without a pass over samples.
  ///   - digest: SHA-256; a parameter, so that this module computes nothing but decisions.
  /// - Throws: ``LedgerError`` when the records cannot be of a run over this tree.
  public init(
    storage: any LedgerStorage, records: [LedgerRecord] = [], tree: CanonicalTree?,
    merge: @escaping Merge, digest: @escaping (_ bytes: [UInt8]) -> Digest
  ) throws(LedgerError) {
    self.storage = storage
    self.merge = merge
    self.digest = digest
    frontier = tree.map { TreeFrontier(tree: $0) }
    for record in records {
      self.records[record.key] = record
      guard case .node(let node) = record.key else { continue }
      guard frontier?.refusal(of: node) == nil, frontier?.accept(node).isEmpty == true else {
        throw .inconsistent(node)
      }
    }
  }

  public var isEmpty: Bool { records.isEmpty }

  /// Results kept; merged ones count once.
  public var count: Int { records.count }

  /// The fewest nodes that are not counted yet, from the left.
  public var missingNodes: [TreeNode] { frontier?.missingNodes ?? [] }

  public func record(of key: LedgerKey) -> LedgerRecord? { records[key] }

  /// The value of the whole tree. - Precondition: nothing is missing.
  public mutating func rootValue() throws -> [UInt8] {
    guard let frontier, frontier.isComplete, let record = records[.node(frontier.nodes[0])] else {
      preconditionFailure("the root has a value when every leaf was counted")
    }
    return try read(record)
  }

  /// The weight norms of a layer. - Precondition: they are kept.
  public mutating func norms(layer: Int) throws -> [UInt8] {
    try read(records[.norms(layer: layer)]!)
  }

  // MARK: Keeping

  /// Checks what was received and keeps it.
  ///
  /// - Returns: false when the bytes are not what the digest says; nothing was changed.
  /// - Throws: what the storage throws; nothing was changed.
  public mutating func keep(_ bytes: [UInt8], expecting expected: Digest, of work: Work) throws
    -> Bool
  {
    guard digest(bytes) == expected else { return false }
    switch work {
    case .calibrate(let block), .evaluate(let block, _):
      try keep(bytes, expected, ofNode: block.node)
    case .measureWeights(let layer):
      let record = LedgerRecord(
        key: .norms(layer: layer), fileName: "norms-\(layer)", byteCount: bytes.count,
        digest: expected)
      try storage.write(bytes, to: record.fileName)
      try commit(record, removing: [])
    case .writeShard: preconditionFailure("a shard is kept by its record")
    }
    return true
  }

  /// Notes a shard that stands in the output folder.
  public mutating func keep(
    shard index: Int, fileName: String, byteCount: Int, digest: Digest
  ) throws {
    let record = LedgerRecord(
      key: .shard(index: index), fileName: fileName, byteCount: byteCount, digest: digest)
    try commit(record, removing: [])
  }

  private mutating func keep(_ bytes: [UInt8], _ known: Digest, ofNode node: TreeNode) throws {
    guard var grown = frontier, grown.refusal(of: node) == nil else {
      throw LedgerError.inconsistent(node)
    }
    var value = bytes
    var name = node
    var merged: [LedgerRecord] = []
    for merge in grown.accept(node) {
      let sibling = records[.node(merge.left == name ? merge.right : merge.left)]!
      let other = try read(sibling)
      value = try merge.left == name ? self.merge(value, other) : self.merge(other, value)
      merged.append(sibling)
      name = merge.parent
    }
    let record = LedgerRecord(
      key: .node(name), fileName: "node-\(name.level)-\(name.index)", byteCount: value.count,
      digest: merged.isEmpty ? known : digest(value))
    try storage.write(value, to: record.fileName)
    try commit(record, removing: merged.map(\.key))
    frontier = grown
    for record in merged { storage.remove(record.fileName) }
  }

  private mutating func commit(_ record: LedgerRecord, removing: [LedgerKey]) throws {
    try storage.commit(record, removing: removing)
    for key in removing { records[key] = nil }
    records[record.key] = record
  }

  private mutating func read(_ record: LedgerRecord) throws -> [UInt8] {
    let bytes = try storage.read(record.fileName)
    guard bytes.count == record.byteCount, digest(bytes) == record.digest else {
      throw LedgerError.damaged(record.fileName)
    }
    return bytes
  }
}

/// A journal that does not fit its run.
public enum LedgerError: Error, Hashable, Sendable, CustomStringConvertible {
  case inconsistent(TreeNode)
  case damaged(String)

  public var description: String {
    switch self {
    case .inconsistent(let node):
      "the journal counts block \(node.level)/\(node.index) twice: remove the unfinished run's "
        + "folder and start again"
    case .damaged(let file):
      "\(file) of the unfinished run is damaged: remove the run's folder and start again"
    }
  }
}
