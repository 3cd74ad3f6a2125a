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
      _ = try journal.write("a") {
        try $0([1])
        return true
      }
      _ = try journal.write("b") {
        try $0([2])
        try $0([3])
        return true
      }
      #expect(
        try !journal.write("c") {
          try $0([4])
          return false
        })
      try journal.commit([record("a", node)], removing: [])
      try journal.commit([record("b", weights)], removing: [node])
    }
    try first()
    #expect(RunJournal.exists(in: path))
    let journal = try RunJournal(resuming: path, as: identity)
    #expect(try journal.records() == [record("b", weights)])
    #expect(try journal.read("b", 0..<2) == [2, 3])
    #expect(try journal.read("b", 1..<2) == [3])
    for name in ["a", "c"] {
      #expect(!SmallFile.exists(path.appending(name)), "a file that nobody names is removed")
    }
    try journal.removeAll()
    #expect(!SmallFile.exists(path))
  }

  @Test("the journal of an earlier version is refused by name, and nothing of it is touched")
  func earlierVersion() throws {
    // As such a version left it: whole reports, and no version in the database.
    try FileManager.default.createDirectory(
      atPath: path.string, withIntermediateDirectories: true)
    let old = try #require(
      Bundle.module.url(forResource: "Golden/journal-1", withExtension: "sqlite"))
    try FileManager.default.copyItem(
      at: old, to: URL(fileURLWithPath: path.appending(RunJournal.databaseName).string))
    try Data([1, 2]).write(to: URL(fileURLWithPath: path.appending("node-0-0").string))
    let error = #expect(throws: JournalError.self) {
      _ = try RunJournal(resuming: path, as: identity)
    }
    #expect(error == .otherVersion(path.string))
    #expect(error?.description.contains("another version of flap") == true)
    #expect(SmallFile.exists(path.appending("node-0-0")))
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

  @Test(
    "columns of other types are one clear line",
    arguments: [
      "INSERT INTO result VALUES (x'ff00', 'a', 0, 1, 'b')",
      "INSERT INTO result VALUES ('shard/0', x'00', 0, 1, 'b')",
      "INSERT INTO result VALUES ('shard/0', 'a', 'zero', 1, 'b')",
      "INSERT INTO result VALUES ('shard/0', 'a', 0.5, 1e300, 'b')",
      "INSERT INTO result VALUES ('shard/0', '../a', 0, 1, '\(String(repeating: "0", count: 64))')",
      "INSERT INTO identity VALUES (NULL, 'x')",
      "INSERT INTO identity VALUES (x'ffff', 1.5)",
      "DROP TABLE result", "DROP TABLE identity",
    ])
  func wrongTypes(statement: String) throws {
    try {
      _ = try RunJournal(creating: path, for: identity)
    }()
    // Another program changes it.
    let shell = Process()
    shell.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    shell.arguments = [
      "python3", "-c",
      "import sqlite3, sys; sqlite3.connect(sys.argv[1]).executescript(sys.argv[2])",
      path.appending(RunJournal.databaseName).string, statement,
    ]
    try shell.run()
    shell.waitUntilExit()
    try #require(shell.terminationStatus == 0)
    let error = #expect(throws: JournalError.self) {
      _ = try RunJournal(resuming: path, as: identity).records()
    }
    #expect(error?.description.contains("start again") == true)
    #expect(error?.description.contains("\n") == false)
  }

  @Test("what is not as its record says is dropped with its file, and only that")
  func verified() throws {
    let journal = try RunJournal(creating: path, for: identity)
    for name in ["sound", "flipped", "gone"] {
      _ = try journal.write(name) {
        try $0([1, 2, 3, 4])
        return true
      }
    }
    func record(_ file: String, _ bytes: Range<Int>, _ layer: Int, _ tap: Tap) -> LedgerRecord {
      LedgerRecord(
        key: .statistic(
          StatisticKey(VirtualWeights.kind, TapPlace(layer: layer, tap), node: nil)),
        fileName: file, bytes: bytes,
        digest: Digest(hashing: Array([1, 2, 3, 4][bytes] as ArraySlice<UInt8>)))
    }
    func shard(_ index: Int) -> LedgerRecord {
      LedgerRecord(
        key: .shard(index: index), fileName: "shard\(index)", bytes: 0..<1,
        digest: Digest(hashing: [1]))
    }
    let sound = [
      record("sound", 0..<2, 0, .mlpDown), record("sound", 2..<4, 0, .attentionOutput), shard(0),
    ]
    var records =
      sound + [
        record("flipped", 0..<2, 1, .mlpDown), record("flipped", 2..<4, 1, .attentionOutput),
        record("gone", 0..<2, 2, .mlpDown), shard(1),
      ]
    try journal.commit(records, removing: [])
    try Data([1, 2, 3, 5]).write(to: URL(fileURLWithPath: path.appending("flipped").string))
    journal.remove("gone")
    let defects = try records.dropDefects(
      in: journal, digest: { Digest(hashing: $0) }, isSound: { $0.fileName == "shard0" })
    #expect(defects.map(\.fileName) == ["flipped", "gone", "shard1"])
    #expect(defects.map(\.isShard) == [false, false, true])
    #expect(records == sound)
    #expect(Set(try journal.records()) == Set(sound))
    #expect(!SmallFile.exists(path.appending("flipped")))
  }

  @Test("a ledger goes on where a process died, at any operation", arguments: 0..<12)
  func ledgerGoesOn(seed: Int) throws {
    // The simulation covers deaths between any two operations; here the real disk is asked.
    var generator = SeededGenerator(seed: UInt64(seed))
    let leafCount = Int.random(in: 1...9, using: &generator)
    let tree = CanonicalTree(leafCount: leafCount)
    let order = (0..<leafCount).shuffled(using: &generator)
    let half = Int.random(in: 0...leafCount, using: &generator)
    let layerCount = 2
    let maps = TapPlace.all(in: 0..<layerCount).shuffled(using: &generator)
    let mapCount = Int.random(in: 0...maps.count, using: &generator)
    func ledger(_ journal: RunJournal) throws -> RunLedger {
      try RunLedger(
        storage: journal, records: try journal.records(), tree: tree,
        shape: VirtualWork.shape(layerCount: layerCount), catalog: VirtualWork.catalog,
        digest: { Digest(hashing: $0) })
    }
    func keep(_ work: Work, in ledger: inout RunLedger) throws {
      let bytes = VirtualWork.result(of: work, layerCount: layerCount)
      var report = VirtualWork.reader(bytes)
      let verdict = try ledger.keep(
        &report, of: work, expecting: VirtualWork.digest(of: bytes))
      #expect(verdict == .kept)
    }
    func work(_ leaf: Int) -> Work {
      .measureSamples(VirtualWork.kinds, VirtualWork.unit(.leaf(leaf), leafCount: leafCount))
    }
    func first() throws {
      var ledger = try ledger(try RunJournal(creating: path, for: identity))
      for leaf in order[..<half] { try keep(work(leaf), in: &ledger) }
      for place in maps[..<mapCount] { try keep(VirtualWork.map(place), in: &ledger) }
    }
    try first()
    var resumed = try ledger(try RunJournal(resuming: path, as: identity))
    let missing = resumed.missingNodes(of: FirstName.kind).flatMap { Array(tree.leaves(of: $0)) }
    #expect(missing == order[half...].sorted())
    for leaf in missing.shuffled(using: &generator) { try keep(work(leaf), in: &resumed) }
    for layer in 0..<layerCount {
      try keep(.measureWeights([VirtualWeights.kind], layer: layer), in: &resumed)
    }
    let missingMaps = maps.filter { !resumed.has(VirtualMap.kind, at: $0) }
    #expect(missingMaps == Array(maps[mapCount...]))
    for place in missingMaps { try keep(VirtualWork.map(place), in: &resumed) }
    let differences = try VirtualWork.differences(
      in: resumed, leafCount: leafCount, layerCount: layerCount)
    #expect(differences.isEmpty)
    // The one merged file, one for each layer's weights, one for each map.
    let fileCount = try Folder.entries(of: path).count {
      !$0.hasPrefix(RunJournal.databaseName)
    }
    #expect(fileCount == 1 + layerCount + maps.count)
  }

  private func record(_ file: String, _ key: LedgerKey) -> LedgerRecord {
    LedgerRecord(
      key: key, fileName: file, bytes: 0..<2, digest: VirtualWork.digest(of: Array(file.utf8)))
  }

  private let node = LedgerKey.statistic(
    StatisticKey(FirstName.kind, TapPlace(layer: 3, .mlpDown), node: .leaf(4)))
  private let weights = LedgerKey.statistic(
    StatisticKey(VirtualWeights.kind, TapPlace(layer: 7, .attentionOutput), node: nil))
}
