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
public final class RunJournal: LedgerStorage {
  public let folder: FilePath
  private let database: DatabaseQueue

  public static let databaseName = "journal.sqlite"
  /// Of the tables, in SQLite's `user_version`. Version 1, which had none there, kept whole reports.
  private static let formatVersion = 2

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

  /// Begins a journal. - Throws: ``JournalError`` or ``StorageError``.
  public init(creating folder: FilePath, for identity: RunIdentity) throws {
    self.folder = folder
    try Folder.make(folder)
    database = try RunJournal.open(folder)
    try RunJournal.wrapping(folder) { [database] in
      try database.write { database in
        try database.execute(
          sql: """
            CREATE TABLE identity (name TEXT PRIMARY KEY, value TEXT NOT NULL);
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
  public init(resuming folder: FilePath, as identity: RunIdentity) throws {
    self.folder = folder
    database = try RunJournal.open(folder)
    try checkVersion()
    let found = try RunJournal.wrapping(folder) { [database] in
      try database.read { database in
        try Row.fetchAll(database, sql: "SELECT name, value FROM identity")
          .map { (name: $0["name"] as String, value: $0["value"] as String) }
      }
    }
    let differences = identity.differences(from: RunIdentity(facts: found))
    guard differences.isEmpty else { throw JournalError.otherRun(folder.string, differences) }
    try removeUnnamedFiles()
  }

  /// What was kept so far.
  public func records() throws -> [LedgerRecord] {
    let rows = try RunJournal.wrapping(folder) {
      try database.read { database in
        try Row.fetchAll(database, sql: "SELECT key, file, start, bytes, digest FROM result")
          .map {
            (
              $0["key"] as String, $0["file"] as String, $0["start"] as Int, $0["bytes"] as Int,
              $0["digest"] as String
            )
          }
      }
    }
    return try rows.map { key, file, start, bytes, digest in
      guard let key = LedgerKey(text: key), let digest = Digest(hexadecimal: digest), start >= 0,
        bytes >= 0, start <= Int.max - bytes
      else { throw JournalError.damaged(folder.string, "a record that cannot be read: \(key)") }
      return LedgerRecord(
        key: key, fileName: file, bytes: start..<start + bytes, digest: digest)
    }
  }

  /// Ends the journal and removes its folder: the run has come to its end.
  public func removeAll() throws {
    try RunJournal.wrapping(folder) { try database.close() }
    Folder.remove(folder)
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

  private static func wrapping<Result>(_ folder: FilePath, _ body: () throws -> Result) throws
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
