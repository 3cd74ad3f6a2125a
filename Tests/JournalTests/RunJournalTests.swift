import Coordination
import FlapCore
import FlapTestKit
import Foundation
import Journal
import Statistics
import Storage
import SystemPackage
import Testing

/// A journal on a real disk.
struct RunJournalTests {
  let folder: TemporaryFolder
  let path: FilePath
  let identity = RunIdentity(facts: [("model digest", "abc"), ("--ratio", "0.2")])

  init() throws {
    folder = try TemporaryFolder()
    path = FilePath(folder.path("journal"))
  }

  @Test("what was committed is there again, what was removed is not")
  func committed() throws {
    func first() throws {
      let journal = try RunJournal(creating: path, for: identity)
      try journal.write([1], to: "a")
      try journal.write([2, 3], to: "b")
      try journal.commit(record("a", .node(TreeNode(level: 0, index: 4))), removing: [])
      try journal.commit(
        record("b", .norms(layer: 7)), removing: [.node(TreeNode(level: 0, index: 4))])
    }
    try first()
    #expect(RunJournal.exists(in: path))
    let journal = try RunJournal(resuming: path, as: identity)
    #expect(try journal.records() == [record("b", .norms(layer: 7))])
    #expect(try journal.read("b") == [2, 3])
    #expect(!SmallFile.exists(path.appending("a")), "a file that nobody names is removed")
    try journal.removeAll()
    #expect(!SmallFile.exists(path))
  }

  @Test("a run under other terms is refused with every difference")
  func otherRun() throws {
    _ = try RunJournal(creating: path, for: identity)
    let other = RunIdentity(facts: [("model digest", "abc"), ("--ratio", "0.3"), ("x", "1")])
    let error = #expect(throws: JournalError.self) {
      _ = try RunJournal(resuming: path, as: other)
    }
    #expect(error?.description.contains("--ratio was 0.2, is 0.3; x was not set, is 1") == true)
  }

  @Test("a damaged database is one clear line")
  func damaged() throws {
    _ = try RunJournal(creating: path, for: identity)
    try Data("not a database, but long enough to look at".utf8).write(
      to: URL(fileURLWithPath: folder.path("journal/journal.sqlite")))
    let error = #expect(throws: JournalError.self) {
      _ = try RunJournal(resuming: path, as: identity)
    }
    #expect(error?.description.contains("start again") == true)
    #expect(error?.description.contains("\n") == false)
  }

  @Test("a ledger goes on where a process died, at any operation", arguments: 0..<12)
  func ledgerGoesOn(seed: Int) throws {
    // The simulation covers deaths between any two operations; here the real disk is asked.
    var generator = SeededGenerator(seed: UInt64(seed))
    let leafCount = Int.random(in: 1...9, using: &generator)
    let tree = CanonicalTree(leafCount: leafCount)
    let order = (0..<leafCount).shuffled(using: &generator)
    let half = Int.random(in: 0...leafCount, using: &generator)
    func ledger(_ journal: RunJournal) throws -> RunLedger {
      try RunLedger(
        storage: journal, records: try journal.records(), tree: tree,
        merge: { VirtualWork.merge($0, $1) }, digest: { Digest(hashing: $0) })
    }
    func keep(_ leaf: Int, in ledger: inout RunLedger) throws {
      let work = VirtualWork.block(.leaf(leaf), leafCount: leafCount)
      let bytes = VirtualWork.result(of: work)
      #expect(try ledger.keep(bytes, expecting: Digest(hashing: bytes), of: work))
    }
    func first() throws {
      var ledger = try ledger(try RunJournal(creating: path, for: identity))
      for leaf in order[..<half] { try keep(leaf, in: &ledger) }
    }
    try first()
    var resumed = try ledger(try RunJournal(resuming: path, as: identity))
    let missing = resumed.missingNodes.flatMap { Array(tree.leaves(of: $0)) }
    #expect(missing == order[half...].sorted())
    for leaf in missing.shuffled(using: &generator) { try keep(leaf, in: &resumed) }
    #expect(try resumed.rootValue() == VirtualWork.rootValue(leafCount: leafCount))
  }

  private func record(_ file: String, _ key: LedgerKey) -> LedgerRecord {
    LedgerRecord(
      key: key, fileName: file, byteCount: 1, digest: VirtualWork.digest(of: Array(file.utf8)))
  }
}
