public import Coordination
internal import FlapCore
internal import Foundation
internal import GRDB
internal import Statistics
internal import Storage
public import SystemPackage

/// The journal of a run: a SQLite database of what was computed, and the results as files beside
/// it, in one folder. With it a run that was killed anywhere goes on where it was.
///
/// Every record is on disk before ``LedgerStorage/commit(_:removing:)`` returns (`synchronous` =
/// FULL); files are written by ``AtomicFile``, which syncs them.
public final class RunJournal: LedgerStorage, Sendable {
  public let folder: FilePath
  let database: DatabaseQueue

  public static let databaseName = "journal.sqlite"
  /// Of the tables, in SQLite's `user_version`. Version 1, which had none there, kept whole
  /// reports; the identities of version 2 held what decides no byte of a checkpoint.
  private static let formatVersion = 3

  /// Whether `folder` holds the journal of a run that did not end.
  public static func exists(in folder: FilePath) -> Bool {
    SmallFile.exists(folder.appending(databaseName))
  }

  /// How many results the journal of a run holds; nil when that cannot be told.
  ///
  /// A copy is read: a reader's lock could make the run's own commit fail, and opening what a crash
  /// has left would mend it, which only the run that goes on may do.
  public static func resultCount(in folder: FilePath) -> Int? {
    guard let copy = try? TemporaryCopies(of: folder, [databaseName, databaseName + "-journal"])
    else { return nil }
    return try? DatabaseQueue(path: copy.path.appending(databaseName).string).read {
      try Int.fetchOne($0, sql: "SELECT COUNT(*) FROM result")
    }
  }

  /// What `folder` is called until the journal in it is whole, and from its end on: by its name
  /// it is there whole or not at all.
  public static func scrap(of folder: FilePath) -> FilePath { FilePath(folder.string + ".tmp") }

  /// Begins a journal.
  ///
  /// - Parameter fill: puts into it what is there already.
  /// - Throws: ``JournalError`` or ``StorageError``, or what `fill` throws.
  public convenience init(
    creating folder: FilePath, for identity: RunIdentity,
    filledBy fill: (RunJournal) throws -> Void = { _ in }
  ) throws {
    let scrap = RunJournal.scrap(of: folder)
    Folder.remove(scrap)
    try Folder.make(scrap)
    let draft = try RunJournal(opening: scrap)
    try draft.makeTables(for: identity)
    try fill(draft)
    try draft.close()
    try Folder.rename(scrap, to: folder)
    try self.init(opening: folder)
  }

  private init(opening folder: FilePath) throws {
    self.folder = folder
    database = try RunJournal.open(folder)
  }

  private func makeTables(for identity: RunIdentity) throws {
    try RunJournal.wrapping(folder) {
      try database.write { database in
        try database.execute(
          sql: """
            CREATE TABLE identity (name TEXT PRIMARY KEY, value TEXT NOT NULL);
            CREATE TABLE kernels (fingerprint TEXT PRIMARY KEY);
            CREATE TABLE tensor (name TEXT PRIMARY KEY, checksum TEXT NOT NULL);
            CREATE TABLE result (
              key TEXT PRIMARY KEY, file TEXT NOT NULL, start INTEGER NOT NULL,
              bytes INTEGER NOT NULL, digest TEXT NOT NULL);
            PRAGMA user_version = \(RunJournal.formatVersion);
            """)
        for (name, value) in identity.facts {
          try database.execute(
            sql: "INSERT INTO identity VALUES (?, ?)", arguments: [name, value])
        }
      }
    }
  }

  /// Goes on with the journal of a run that did not end.
  ///
  /// - Throws: ``JournalError/otherRun(_:)`` with every difference when the run was begun under
  ///   other terms.
  public convenience init(resuming folder: FilePath, as identity: RunIdentity) throws {
    try self.init(opening: folder)
    try checkVersion()
    let differences = identity.differences(from: try storedIdentity())
    guard differences.isEmpty else { throw JournalError.otherRun(folder.string, differences) }
    try removeUnnamedFiles()
  }

  private func storedIdentity() throws -> RunIdentity {
    let facts = try rows("SELECT name, value FROM identity").map { row in
      guard let name = String.fromDatabaseValue(row[0]),
        let value = String.fromDatabaseValue(row[1])
      else { throw damage("the run's terms cannot be read") }
      return (name: name, value: value)
    }
    return RunIdentity(facts: facts)
  }

  /// What was kept so far.
  public func records() throws -> [LedgerRecord] {
    try rows("SELECT key, file, start, bytes, digest FROM result").map { row in
      guard let name = String.fromDatabaseValue(row[0]), let key = LedgerKey(text: name),
        let file = String.fromDatabaseValue(row[1]), RunJournal.isName(file),
        let start = Int.fromDatabaseValue(row[2]), start >= 0,
        let byteCount = Int.fromDatabaseValue(row[3]), byteCount >= 0,
        start <= Int.max - byteCount,
        let digest = String.fromDatabaseValue(row[4]).flatMap(Digest.init(hexadecimal:))
      else { throw damage("a record that cannot be read: \(row[0])") }
      return LedgerRecord(
        key: key, fileName: file, bytes: start..<start + byteCount, digest: digest)
    }
  }

  /// Whether it names a file in the journal's folder, or the run's.
  private static func isName(_ text: String) -> Bool {
    FilePath(text).components.count == 1 && FilePath(text).lastComponent?.kind == .regular
      && !FilePath(text).isAbsolute
  }

  /// The values of each row, of whatever types they are: another program could have changed them.
  func rows(_ query: String) throws -> [[DatabaseValue]] {
    try RunJournal.wrapping(folder) {
      try database.read { try Row.fetchAll($0, sql: query).map { Array($0.databaseValues) } }
    }
  }

  func damage(_ reason: String) -> JournalError {
    .damaged(folder.appending(RunJournal.databaseName).string, reason)
  }

  /// Ends the journal and removes its folder: the run has come to its end.
  public func removeAll() throws {
    try close()
    let scrap = RunJournal.scrap(of: folder)
    Folder.remove(scrap)
    try Folder.rename(folder, to: scrap)
    Folder.remove(scrap)
  }

  private func close() throws { try RunJournal.wrapping(folder) { try database.close() } }

  // MARK: Kernels

  /// Which kernels computed the results, in the order of their first ones.
  public func kernels() throws -> [String] {
    try rows("SELECT fingerprint FROM kernels ORDER BY rowid").map { row in
      guard let fingerprint = String.fromDatabaseValue(row[0]) else {
        throw damage("the run's kernels cannot be read")
      }
      return fingerprint
    }
  }

  /// Notes that results of these kernels are kept.
  public func note(kernels fingerprint: String) throws {
    try RunJournal.wrapping(folder) {
      try database.write {
        try $0.execute(
          sql: "INSERT OR IGNORE INTO kernels VALUES (?)", arguments: [fingerprint])
      }
    }
  }

  // MARK: LedgerStorage

  public func write(_ fileName: String, _ body: (Append) throws -> Bool) throws -> Bool {
    try AtomicFile.writeUndigested(to: folder.appending(fileName), body)
  }

  public func read(_ fileName: String, _ bytes: Range<Int>) throws -> [UInt8] {
    try SmallFile.read(folder.appending(fileName), bytes)
  }

  public func commit(_ records: [LedgerRecord], removing: [LedgerKey]) throws {
    try RunJournal.wrapping(folder) {
      try database.write { database in
        let delete = try database.cachedStatement(sql: "DELETE FROM result WHERE key = ?")
        for key in removing { try delete.execute(arguments: [key.text]) }
        let insert = try database.cachedStatement(
          sql: "INSERT OR REPLACE INTO result VALUES (?, ?, ?, ?, ?)")
        for record in records {
          try insert.execute(arguments: [
            record.key.text, record.fileName, record.bytes.lowerBound, record.bytes.count,
            record.digest.hexadecimal,
          ])
        }
      }
    }
  }

  public func remove(_ fileName: String) { Folder.removeFile(folder.appending(fileName)) }

  // MARK: Database

  private static func open(_ folder: FilePath) throws -> DatabaseQueue {
    var configuration = Configuration()
    configuration.prepareDatabase { database in
      // The run's folder is locked: nobody else comes here, and the rollback journal can stay
      // where it is instead of being removed, and the folder synced, with every commit.
      try database.execute(
        sql: """
          PRAGMA locking_mode = EXCLUSIVE;
          PRAGMA journal_mode = PERSIST;
          PRAGMA synchronous = FULL;
          """)
    }
    return try wrapping(folder) {
      try DatabaseQueue(
        path: folder.appending(databaseName).string, configuration: configuration)
    }
  }

  private func checkVersion() throws {
    let version = try RunJournal.wrapping(folder) {
      try database.read { try Int.fetchOne($0, sql: "PRAGMA user_version") ?? 0 }
    }
    guard version == RunJournal.formatVersion else {
      throw JournalError.otherVersion(folder.string)
    }
  }

  static func wrapping<Result>(_ folder: FilePath, _ body: () throws -> Result) throws
    -> Result
  {
    do {
      return try body()
    } catch let error as DatabaseError {
      let path = folder.appending(databaseName)
      if error.resultCode == .SQLITE_FULL { throw StorageError(.noSpace, path) }
      throw JournalError.damaged(path.string, error.message ?? "\(error.resultCode)")
    }
  }

  /// What a crash left between writing a file and naming it, or between forgetting and removing.
  private func removeUnnamedFiles() throws {
    let named = Set(try records().map(\.fileName))
    for name in try Folder.entries(of: folder)
    where !named.contains(name) && !name.hasPrefix(RunJournal.databaseName) {
      remove(name)
    }
  }
}

/// Copies of files in a folder of their own, which goes with them.
private final class TemporaryCopies {
  let path: FilePath

  /// A journal of more results than any run has.
  private static let byteLimit = 256 << 20

  /// Files that are not there are left out.
  init(of folder: FilePath, _ names: [String]) throws {
    var template = Array((NSTemporaryDirectory() + "/flap-status-XXXXXX").utf8CString)
    guard let made = mkdtemp(&template) else { throw Errno(rawValue: errno) }
    path = FilePath(String(cString: made))
    for name in names where SmallFile.exists(folder.appending(name)) {
      let bytes = try SmallFile.read(
        folder.appending(name), limit: TemporaryCopies.byteLimit)
      try AtomicFile.write(bytes, to: path.appending(name))
    }
  }

  deinit { Folder.remove(path) }
}
