import Coordination
import FlapCore
import FlapTestKit
import Statistics
import Testing

/// What is measured of samples: those of one kind of statistic are counted apart from another's.
struct RunLedgerTests {
  static let leafCount = 7
  let disk = VirtualDisk()
  let places = TapPlace.all(in: 0..<2)
  let tree = CanonicalTree(leafCount: leafCount)

  private func ledger() throws -> RunLedger {
    try RunLedger(
      storage: disk, records: Array(disk.records.values), tree: tree,
      shape: VirtualWork.shape(layerCount: 2), catalog: VirtualWork.catalog,
      digest: { VirtualWork.digest(of: $0) })
  }

  private func work(_ kind: StatisticKind, _ node: TreeNode) -> Work {
    .measureSamples([kind], VirtualWork.unit(node, leafCount: RunLedgerTests.leafCount))
  }

  @discardableResult
  private func keep(
    _ work: Work, in ledger: inout RunLedger, reporting other: Work? = nil
  ) throws -> RunLedger.Verdict {
    let bytes = VirtualWork.result(of: other ?? work, layerCount: 2)
    var report = VirtualWork.reader(bytes)
    return try ledger.keep(&report, of: work, expecting: VirtualWork.digest(of: bytes))
  }

  private func missing(_ ledger: RunLedger, _ kind: StatisticKind) -> [Int] {
    ledger.missingNodes(of: kind).flatMap { Array(tree.leaves(of: $0)) }
  }

  @Test("what is missing of one kind says nothing of another")
  func kindsApart() throws {
    var ledger = try ledger()
    try keep(work(FirstName.kind, .leaf(3)), in: &ledger)
    #expect(missing(ledger, FirstName.kind) == [0, 1, 2, 4, 5, 6])
    #expect(ledger.missingNodes(of: SecondName.kind) == [tree.root])
    try keep(work(SecondName.kind, TreeNode(level: 1, index: 0)), in: &ledger)
    #expect(missing(ledger, SecondName.kind) == [2, 3, 4, 5, 6])
    // The same leaf of another kind counts for that one, and once.
    try keep(work(SecondName.kind, .leaf(3)), in: &ledger)
    #expect(missing(ledger, SecondName.kind) == [2, 4, 5, 6])
    #expect(throws: LedgerError.inconsistent(SecondName.kind, .leaf(3))) {
      try keep(work(SecondName.kind, .leaf(3)), in: &ledger)
    }
    #expect(missing(ledger, SecondName.kind) == [2, 4, 5, 6])
    #expect(missing(ledger, FirstName.kind) == [0, 1, 2, 4, 5, 6])
  }

  @Test("in any order and over a restart the values are those of all leaves", arguments: 0..<20)
  func restored(seed: Int) throws {
    var generator = SeededGenerator(seed: UInt64(seed))
    let kinds = VirtualWork.kinds
    var rest = kinds.flatMap { kind in (0..<RunLedgerTests.leafCount).map { (kind, $0) } }
      .shuffled(using: &generator)
    var ledger = try ledger()
    while !rest.isEmpty {
      for (kind, leaf) in rest.prefix(3) { try keep(work(kind, .leaf(leaf)), in: &ledger) }
      rest = Array(rest.dropFirst(3))
      ledger = try self.ledger()
      for kind in kinds {
        let left = rest.filter { $0.0 == kind }.map(\.1).sorted()
        #expect(missing(ledger, kind) == left)
      }
      #expect(Set(disk.records.values.map(\.fileName)) == Set(disk.files.keys))
    }
    try expectValue(of: VirtualStatistic<FirstName>.self, in: ledger)
    try expectValue(of: VirtualStatistic<SecondName>.self, in: ledger)
    #expect(disk.files.count == kinds.count && ledger.count == kinds.count * places.count)
  }

  /// As one worker computes it that has all leaves.
  private func expectValue<Value: SampleStatistic>(
    of _: Value.Type, in ledger: RunLedger
  ) throws {
    var report = VirtualWork.reader(
      VirtualWork.result(of: work(Value.kind, tree.root), layerCount: 2))
    for place in places {
      let part = StatisticPart(
        try ledger.value(of: Value.self, at: place), at: place, node: tree.root)
      let expected = try report.next()
      #expect(expected == .part(part))
    }
  }

  @Test("a report of another kind or node is refused and changes nothing")
  func otherReports() throws {
    var ledger = try ledger()
    for other in [work(SecondName.kind, .leaf(2)), work(FirstName.kind, .leaf(3))] {
      let verdict = try keep(work(FirstName.kind, .leaf(2)), in: &ledger, reporting: other)
      guard case .refused(let reason) = verdict else {
        Issue.record("it was kept")
        return
      }
      #expect(reason.contains("where virtual-1/0/self_attn.o_proj/0/2 belongs"))
    }
    #expect(disk.files.isEmpty && ledger.isEmpty)
    #expect(ledger.missingNodes(of: FirstName.kind) == [tree.root])
  }

  @Test("a report of another map is refused and changes nothing")
  func otherMap() throws {
    var ledger = try ledger()
    let verdict = try keep(
      VirtualWork.map(places[0]), in: &ledger, reporting: VirtualWork.map(places[1]))
    guard case .refused = verdict else {
      Issue.record("it was kept")
      return
    }
    #expect(disk.files.isEmpty && ledger.isEmpty)
    #expect(!ledger.has(VirtualMap.kind, at: places[0]))
  }
}
