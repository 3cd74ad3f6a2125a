public import FlapCore
public import Statistics

/// What a run has computed, kept so that it is never computed again.
///
/// A report is kept part by part, under each part's `StatisticKey`. Values of tree nodes are
/// merged with their siblings' as they come (`TreeFrontier.Climb`), and only what is left after
/// merging is kept: of W workers that are at it at once, at most W values of a tap are on disk and
/// three in memory. A report is safe when ``keep(_:of:expecting:)`` returns: its file is written
/// first, then one journal record for each part replaces those that it makes superfluous, all or
/// nothing, then their files go. A crash between any two of these steps loses nothing that was safe
/// and leaves at most files that nobody names.
public struct RunLedger: Sendable {
  /// What became of a report.
  public enum Verdict: Hashable, Sendable {
    case kept
    /// Nothing was changed.
    case refused(reason: String)
  }

  private let storage: any LedgerStorage
  private let shape: ModelShape
  private let catalog: StatisticCatalog
  private let digest: @Sendable (_ bytes: [UInt8]) -> Digest
  private let tree: CanonicalTree?
  private var records: [LedgerKey: LedgerRecord] = [:]
  /// How many records name a file.
  private var recordCounts: [String: Int] = [:]
  /// Which samples are counted, by kind.
  private var frontiers: [StatisticKind: TreeFrontier] = [:]

  /// - Parameters:
  ///   - records: what an earlier run under the same terms has kept.
  ///   - tree: of the samples; nil for a run without a pass over samples.
  ///   - digest: SHA-256; a parameter, so that this module computes nothing but decisions.
  /// - Throws: ``LedgerError`` when the records cannot be of a run over this tree.
  public init(
    storage: any LedgerStorage, records: [LedgerRecord] = [], tree: CanonicalTree?,
    shape: ModelShape, catalog: StatisticCatalog = .standard,
    digest: @escaping @Sendable (_ bytes: [UInt8]) -> Digest
  ) throws(LedgerError) {
    self.storage = storage
    self.shape = shape
    self.catalog = catalog
    self.digest = digest
    self.tree = tree
    for record in records { note(record) }
    try restoreFrontiers()
  }

  private mutating func restoreFrontiers() throws(LedgerError) {
    var nodes: [StatisticKind: [TreeNode: Int]] = [:]
    for case .statistic(let key) in records.keys {
      guard let node = key.node else { continue }
      nodes[key.kind, default: [:]][node, default: 0] += 1
    }
    for (kind, counts) in nodes {
      guard let tree else { throw .inconsistent(kind, counts.first?.key) }
      var frontier = TreeFrontier(tree: tree)
      for (node, count) in counts {
        guard (try? catalog.keys(of: [kind], node: node, in: shape).count) == count,
          frontier.refusal(of: node) == nil
        else { throw .inconsistent(kind, node) }
        let climb = frontier.counting(node)
        guard climb.merges.isEmpty else { throw .inconsistent(kind, node) }
        frontier = climb.frontier
      }
      frontiers[kind] = frontier
    }
  }

  public var isEmpty: Bool { records.isEmpty }

  /// Results kept; merged ones count once.
  public var count: Int { records.count }

  public func record(of key: LedgerKey) -> LedgerRecord? { records[key] }

  /// The fewest nodes whose samples are not counted yet in a kind of statistic, from the left.
  public func missingNodes(of kind: StatisticKind) -> [TreeNode] { frontier(of: kind).missingNodes }

  /// Whether a kind of statistic is there of a layer's weights.
  public func has(_ kind: StatisticKind, ofLayer layer: Int) -> Bool {
    Tap.allCases.allSatisfy { tap in
      let key = StatisticKey(kind, TapPlace(layer: layer, tap), node: nil)
      return records[.statistic(key)] != nil
    }
  }

  /// Whether a kind of statistic is there of a map.
  public func has(_ kind: StatisticKind, at place: TapPlace) -> Bool {
    records[.statistic(StatisticKey(kind, place, node: nil))] != nil
  }

  private func frontier(of kind: StatisticKind) -> TreeFrontier {
    guard let tree else { preconditionFailure("a run without samples has no nodes") }
    return frontiers[kind] ?? TreeFrontier(tree: tree)
  }

  // MARK: Reading

  /// A statistic of all samples, or of the weights.
  ///
  /// - Precondition: nothing of its kind is missing.
  public func value<Value: Statistic>(
    of _: Value.Type, at place: TapPlace?
  ) throws -> Value {
    let isOfSamples = Value.self is any SampleStatistic.Type
    let node = isOfSamples ? frontier(of: Value.kind).nodes.first : nil
    let part = try part(StatisticKey(Value.kind, place, node: node))
    return try StatisticCatalog.decode(part, as: Value.self, shape)
  }

  /// A kind of statistic at all taps. - Precondition: nothing of it is missing.
  public func layers<Value: Statistic>(of type: Value.Type) throws -> [PerTap<Value>] {
    try shape.layers.indices.map { layer in
      try PerTap { tap in try value(of: type, at: TapPlace(layer: layer, tap)) }
    }
  }

  private func part(_ key: StatisticKey) throws -> StatisticPart {
    guard let record = records[.statistic(key)] else {
      preconditionFailure("\(key) is read before it is there")
    }
    let bytes = try storage.read(record.fileName, record.bytes)
    guard digest(bytes) == record.digest else { throw LedgerError.damaged(record.fileName) }
    return StatisticPart(key: key, bytes: bytes)
  }

  // MARK: Keeping

  /// Checks what was received and keeps it.
  ///
  /// - Throws: what the storage throws; nothing was changed.
  public mutating func keep(
    _ report: inout some ReportSource, of work: Work, expecting expected: Digest
  ) throws -> Verdict {
    guard report.digest == expected else {
      return .refused(reason: "its report was damaged on the way")
    }
    let keys: [StatisticKey]
    var climbs: [StatisticKind: TreeFrontier.Climb] = [:]
    let name: String
    switch work {
    case .measureSamples(let kinds, let unit, _):
      for kind in kinds { climbs[kind] = try climb(kind, unit.node) }
      keys = try catalog.keys(of: kinds, node: unit.node, in: shape)
      let end = kinds.first.flatMap { climbs[$0]?.end } ?? unit.node
      name = "\(RunLedger.fileName(of: kinds))-\(end.level)-\(end.index)"
    case .measureWeights(let kinds, let layer):
      keys = try catalog.keys(of: kinds, layer: layer)
      name = "\(RunLedger.fileName(of: kinds))-\(layer)"
    case .measureMap(let work):
      keys = try catalog.keys(of: work.kinds, at: work.place)
      name =
        "\(RunLedger.fileName(of: work.kinds))-\(work.place.layer)-\(work.place.tap.rawValue)"
    case .score: preconditionFailure("scores are kept by who asked for them")
    case .sum, .merge: preconditionFailure("sums are kept by who holds them, and in files")
    case .writeShard: preconditionFailure("a shard is kept by its record")
    }
    return try keep(&report, keys, climbs, as: name)
  }

  private func climb(_ kind: StatisticKind, _ node: TreeNode) throws -> TreeFrontier.Climb {
    let frontier = frontier(of: kind)
    guard frontier.refusal(of: node) == nil else { throw LedgerError.inconsistent(kind, node) }
    return frontier.counting(node)
  }

  private static func fileName(of kinds: [StatisticKind]) -> String {
    kinds.map(\.name).joined(separator: "+")
  }

  private mutating func keep(
    _ report: inout some ReportSource, _ keys: [StatisticKey],
    _ climbs: [StatisticKind: TreeFrontier.Climb], as fileName: String
  ) throws -> Verdict {
    var added: [LedgerRecord] = []
    var refusal: String?
    var offset = 0
    let isWritten = try storage.write(fileName) { append in
      for key in keys {
        guard let received = try take(key, from: &report, &refusal) else { return false }
        let part = try merged(received, climbs[key.kind])
        try append(part.bytes)
        added.append(
          LedgerRecord(
            key: .statistic(part.key), fileName: fileName,
            bytes: offset..<offset + part.bytes.count, digest: digest(part.bytes)))
        offset += part.bytes.count
      }
      guard try report.next() == .end else {
        refusal = "its report holds more than was asked for"
        return false
      }
      return true
    }
    guard isWritten else { return .refused(reason: refusal ?? "its report cannot be read") }
    try replace(keys, climbs, by: added)
    for key in keys {
      if let climb = climbs[key.kind] { frontiers[key.kind] = climb.frontier }
    }
    return .kept
  }

  /// The next part of a report, which has to be this one, and possible.
  private func take(
    _ key: StatisticKey, from report: inout some ReportSource, _ refusal: inout String?
  ) throws -> StatisticPart? {
    switch try report.next() {
    case .end: refusal = "its report ends before \(key)"
    case .malformed(let reason): refusal = "its report cannot be read: \(reason)"
    case .part(let part):
      guard part.key == key else {
        refusal = "its report holds \(part.key) where \(key) belongs"
        return nil
      }
      do throws(StatisticsError) {
        try catalog.check(part, in: shape)
        return part
      } catch {
        refusal = "\(error)"
      }
    }
    return nil
  }

  private func merged(
    _ received: StatisticPart, _ climb: TreeFrontier.Climb?
  ) throws -> StatisticPart {
    guard let climb else { return received }
    return try climb.fold(received) { sibling in
      try part(received.key.of(sibling))
    } merge: { left, right, parent in
      try catalog.merge(left, right, into: parent, in: shape)
    }
  }

  /// Names the parts of a new file in place of what was merged into them.
  private mutating func replace(
    _ keys: [StatisticKey], _ climbs: [StatisticKind: TreeFrontier.Climb],
    by added: [LedgerRecord]
  ) throws {
    let superfluous = keys.flatMap { key in
      (climbs[key.kind]?.siblings ?? []).map { LedgerKey.statistic(key.of($0)) }
    }
    try storage.commit(added, removing: superfluous)
    for record in added { note(record) }
    for key in superfluous {
      if let file = forget(key), recordCounts[file] == nil { storage.remove(file) }
    }
  }

  private mutating func note(_ record: LedgerRecord) {
    forget(record.key)
    records[record.key] = record
    recordCounts[record.fileName, default: 0] += 1
  }

  /// - Returns: the file that the record named.
  @discardableResult
  private mutating func forget(_ key: LedgerKey) -> String? {
    guard let file = records.removeValue(forKey: key)?.fileName else { return nil }
    let count = recordCounts[file, default: 1] - 1
    recordCounts[file] = count > 0 ? count : nil
    return file
  }

  /// Notes a shard that stands in the output folder.
  public mutating func keep(
    shard index: Int, fileName: String, byteCount: Int, digest: Digest
  ) throws {
    let record = LedgerRecord(
      key: .shard(index: index), fileName: fileName, bytes: 0..<byteCount, digest: digest)
    try storage.commit([record], removing: [])
    note(record)
  }
}

/// A journal that does not fit its run.
public enum LedgerError: Error, Hashable, Sendable, CustomStringConvertible {
  case inconsistent(StatisticKind, TreeNode?)
  case damaged(String)

  public var description: String {
    switch self {
    case .inconsistent(let kind, let node):
      "the journal does not add up for \(kind)\(node.map { " of \($0)" } ?? ""): remove the "
        + "unfinished run's folder and start again"
    case .damaged(let file):
      "\(file) of the unfinished run is damaged: remove the run's folder and start again"
    }
  }
}
