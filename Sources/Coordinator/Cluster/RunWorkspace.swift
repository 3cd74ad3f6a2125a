internal import Chronicle
internal import Coordination
internal import FlapCore
internal import Journal
internal import Logging
internal import Statistics
internal import Storage
internal import SystemPackage

/// Where a run puts what it makes: its folder, the journal in it, and the ledger of what is done.
struct RunWorkspace: ~Copyable {
  private var folder: OutputFolder
  private let journal: RunJournal
  var ledger: RunLedger
  /// What happens in the run, for those who watch.
  let chronicle: Chronicle

  /// - Parameters:
  ///   - journalFolder: relative to the folder.
  ///   - tree: of the samples; nil for a run without a pass.
  ///   - log: told when no events can be kept.
  init(
    _ path: FilePath, journalFolder: String, identity: RunIdentity, tree: CanonicalTree?,
    shape: ModelShape, resuming: Bool, log: Logger
  ) throws {
    let marker = journalFolder + "/" + RunJournal.databaseName
    let folder = try OutputFolder(path, marker: marker, resuming: resuming)
    let journalPath = path.pushing(FilePath(journalFolder))
    let journal =
      try folder.isResumed
      ? RunJournal(resuming: journalPath, as: identity)
      : RunJournal(creating: journalPath, for: identity)
    ledger = try RunLedger(
      storage: journal, records: try journal.records(), tree: tree, shape: shape,
      digest: { Digest(hashing: $0) })
    self.journal = journal
    let isResumed = folder.isResumed
    self.folder = folder
    chronicle = Chronicle(journalPath.removingLastComponent().appending(Chronicle.fileName)) {
      log.warning("\($0)")
    }
    chronicle.noteStart(identity, resuming: isResumed ? ledger.count : nil)
  }

  var path: FilePath { folder.path }

  var isResumed: Bool { folder.isResumed }

  /// Does a part of the run. When it fails, what was computed stays for `--resume`; where nothing
  /// was, nothing is left.
  mutating func surviving<Result>(
    _ console: Console, _ body: (inout RunWorkspace) throws -> Result
  ) throws -> Result {
    if isResumed {
      console.log.notice("resuming: \(ledger.count) results reused")
    }
    do {
      return try body(&self)
    } catch {
      chronicle.noteEnd(error)
      if !ledger.isEmpty {
        folder.keep()
        console.log.notice("finished work is kept in \(path): continue with --resume")
      }
      throw error
    }
  }

  /// The run has come to its end: the folder stays, the journal goes.
  consuming func finish() throws {
    chronicle.noteFinish()
    try journal.removeAll()
    folder.finish()
  }

  /// The run's result stands elsewhere: the folder goes, too.
  consuming func remove() throws {
    try journal.removeAll()
    folder.remove()
  }
}
