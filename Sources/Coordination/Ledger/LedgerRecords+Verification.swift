public import FlapCore

extension [LedgerRecord] {
  /// A file that is not as the journal says.
  public struct Defect: Hashable, Sendable {
    public let fileName: String
    /// Else it holds statistics.
    public let isShard: Bool
  }

  /// Looks at what an earlier run has kept and drops what is not as its records say, so that it is
  /// computed again: a damaged statistic with all that its file holds, for the taps of a node are
  /// there together or not at all.
  ///
  /// - Parameters:
  ///   - digest: SHA-256.
  ///   - isSound: whether the file of a shard, in the output folder, is as its record says.
  /// - Returns: what was dropped, by name.
  /// - Throws: what the storage throws when the journal cannot be written.
  public mutating func dropDefects(
    in storage: some LedgerStorage, digest: (_ bytes: [UInt8]) -> Digest,
    isSound: (_ shard: LedgerRecord) -> Bool
  ) throws -> [Defect] {
    var defects: Set<Defect> = []
    for record in self {
      switch record.key {
      case .shard:
        if !isSound(record) { defects.insert(Defect(fileName: record.fileName, isShard: true)) }
      case .statistic:
        let defect = Defect(fileName: record.fileName, isShard: false)
        if defects.contains(defect) { continue }
        // What cannot be read, for whatever reason, is as good as gone.
        let bytes = try? storage.read(record.fileName, record.bytes)
        if bytes.map(digest) != record.digest { defects.insert(defect) }
      }
    }
    guard !defects.isEmpty else { return [] }
    let isDropped = { (record: LedgerRecord) in
      defects.contains(Defect(fileName: record.fileName, isShard: record.key.isShard))
    }
    try storage.commit([], removing: filter(isDropped).map(\.key))
    removeAll(where: isDropped)
    for defect in defects where !defect.isShard { storage.remove(defect.fileName) }
    return defects.sorted { $0.fileName < $1.fileName }
  }
}

extension LedgerKey {
  fileprivate var isShard: Bool { if case .shard = self { true } else { false } }
}
