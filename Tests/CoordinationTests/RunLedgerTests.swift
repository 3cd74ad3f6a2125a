import Coordination
import FlapCore
import FlapTestKit
import Statistics
import Testing

/// What is measured tap by tap: the samples of one tap are counted apart from those of another.
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

  private func work(_ place: TapPlace, _ node: TreeNode) -> Work {
    .measureTarget(
      place, VirtualWork.unit(node, leafCount: RunLedgerTests.leafCount),
      plan: VirtualWork.digest(of: [1]))
  }

  @discardableResult
  private func keep(
    _ work: Work, in ledger: inout RunLedger, reporting other: Work? = nil
  ) throws -> RunLedger.Verdict {
    let bytes = VirtualWork.result(of: other ?? work, layerCount: 2)
    var report = VirtualWork.reader(bytes)
    return try ledger.keep(&report, of: work, expecting: VirtualWork.digest(of: bytes))
  }

  private func missing(_ ledger: RunLedger, _ place: TapPlace) -> [Int] {
    ledger.missingNodes(of: TargetMoments.kind, at: place).flatMap { Array(tree.leaves(of: $0)) }
  }

  @Test("what is missing of one place says nothing of another")
  func placesApart() throws {
    var ledger = try ledger()
    try keep(work(places[0], .leaf(3)), in: &ledger)
    try keep(work(places[2], TreeNode(level: 1, index: 0)), in: &ledger)
    #expect(missing(ledger, places[0]) == [0, 1, 2, 4, 5, 6])
    #expect(ledger.missingNodes(of: TargetMoments.kind, at: places[1]) == [tree.root])
    #expect(missing(ledger, places[2]) == [2, 3, 4, 5, 6])
    #expect(ledger.missingNodes(of: FirstName.kind) == [tree.root])
    // The same leaf of another place counts for that one.
    try keep(work(places[1], .leaf(3)), in: &ledger)
    #expect(missing(ledger, places[1]) == [0, 1, 2, 4, 5, 6])
    #expect(throws: LedgerError.inconsistent(TargetMoments.kind, .leaf(3))) {
      try keep(work(places[1], .leaf(3)), in: &ledger)
    }
    #expect(missing(ledger, places[1]) == [0, 1, 2, 4, 5, 6])
  }

  @Test("in any order and over a restart the sums are those of all leaves", arguments: 0..<20)
  func restored(seed: Int) throws {
    var generator = SeededGenerator(seed: UInt64(seed))
    var rest = places.flatMap { place in (0..<RunLedgerTests.leafCount).map { (place, $0) } }
      .shuffled(using: &generator)
    var ledger = try ledger()
    while !rest.isEmpty {
      for (place, leaf) in rest.prefix(5) { try keep(work(place, .leaf(leaf)), in: &ledger) }
      rest = Array(rest.dropFirst(5))
      ledger = try self.ledger()
      for place in places {
        let left = rest.filter { $0.0 == place }.map(\.1).sorted()
        #expect(missing(ledger, place) == left)
      }
    }
    for place in places {
      let expected = VirtualWork.targets(place, leaves: 0..<RunLedgerTests.leafCount)
      #expect(try ledger.value(of: TargetMoments.self, at: place) == expected)
    }
    #expect(disk.files.count == places.count && ledger.count == places.count)
  }

  @Test("what is discarded is gone with its files, and only that")
  func discarded() throws {
    var ledger = try ledger()
    for place in places.prefix(2) {
      // Neither siblings nor whole: several files.
      for leaf in [0, 2, 5] { try keep(work(place, .leaf(leaf)), in: &ledger) }
    }
    try keep(
      .measureSamples(VirtualWork.kinds, VirtualWork.unit(.leaf(0), leafCount: 7)), in: &ledger)
    let fileCount = disk.files.count
    try ledger.discard(TargetMoments.kind, at: places[0])
    #expect(disk.files.count == fileCount - 3)
    #expect(ledger.missingNodes(of: TargetMoments.kind, at: places[0]) == [tree.root])
    #expect(missing(ledger, places[1]) == [1, 3, 4, 6])
    #expect(Set(disk.records.values.map(\.fileName)) == Set(disk.files.keys))
    // Nothing there: nothing happens.
    try ledger.discard(TargetMoments.kind, at: places[3])
    try ledger.discard(TargetMoments.kind, at: places[0])
    // After a restart, too; and it can be measured anew.
    var restored = try self.ledger()
    #expect(restored.missingNodes(of: TargetMoments.kind, at: places[0]) == [tree.root])
    #expect(missing(restored, places[1]) == [1, 3, 4, 6])
    try keep(work(places[0], tree.root), in: &restored)
    let expected = VirtualWork.targets(places[0], leaves: 0..<RunLedgerTests.leafCount)
    #expect(try restored.value(of: TargetMoments.self, at: places[0]) == expected)
  }

  @Test("a report of another tap or node is refused and changes nothing")
  func otherReports() throws {
    var ledger = try ledger()
    for other in [work(places[1], .leaf(2)), work(places[0], .leaf(3))] {
      let verdict = try keep(work(places[0], .leaf(2)), in: &ledger, reporting: other)
      guard case .refused(let reason) = verdict else {
        Issue.record("it was kept")
        return
      }
      #expect(reason.contains("where target-moments/0/self_attn.o_proj/0/2 belongs"))
    }
    #expect(disk.files.isEmpty && ledger.isEmpty)
    #expect(ledger.missingNodes(of: TargetMoments.kind, at: places[0]) == [tree.root])
  }
}
