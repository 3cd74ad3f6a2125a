internal import Checkpoint
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
  /// Where a run's journal and logs lie in its folder.
  struct Place {
    let path: FilePath
    /// Relative to `path`.
    let journal: FilePath
    private let logs: FilePath

    /// The folder that `prune` and `write` fill.
    static func checkpoint(_ path: FilePath) -> Place {
      Place(path: path, journal: "flap/journal", logs: "flap/logs")
    }

    /// Beside a file that is written at the end.
    static func beside(_ file: FilePath) -> Place {
      Place(path: FilePath(file.string + ".run"), journal: "journal", logs: "logs")
    }

    var journalPath: FilePath { path.pushing(journal) }

    var logPath: FilePath { path.pushing(logs) }

    /// In the folder that holds the journal.
    var eventPath: FilePath { path.pushing(events) }

    private var events: FilePath {
      journal.removingLastComponent().appending(Chronicle.fileName)
    }

    var hasJournal: Bool { RunJournal.exists(in: journalPath) }

    fileprivate var layout: OutputFolder.Layout {
      OutputFolder.Layout(
        marker: journal.appending(RunJournal.databaseName),
        scraps: [
          RunJournal.scrap(of: journal), logs, events, EventFile.previous(of: events),
        ])
    }
  }

  private let place: Place
  private var folder: OutputFolder
  private let journal: RunJournal
  var ledger: RunLedger
  /// What happens in the run, for those who watch.
  let chronicle: Chronicle
  /// What was there already and is not as it should be.
  private let defects: [[LedgerRecord].Defect]

  /// - Parameters:
  ///   - tree: of the samples; nil for a run without a pass.
  ///   - finished: the run whose result is in the folder, to be mended or added to.
  ///   - log: told when no events can be kept.
  init(
    _ place: Place, identity: RunIdentity, tree: CanonicalTree?, shape: ModelShape,
    resuming: Bool, reopening finished: FinishedRun? = nil, log: Logger
  ) throws {
    let beginning: OutputFolder.Beginning =
      finished != nil ? .reopening : resuming ? .resuming : .anew
    let folder = try OutputFolder(place.path, place.layout, beginning)
    let journal =
      try place.hasJournal
      ? RunJournal(resuming: place.journalPath, as: identity)
      : RunJournal(creating: place.journalPath, for: identity) { journal in
        try finished?.fill(journal, tree: tree)
      }
    var records = try journal.records()
    let defects = try records.dropDefects(
      in: journal, digest: { Digest(hashing: $0) },
      isSound: { FileSummary($0).isTrue(in: place.path) })
    let ledger = try RunLedger(
      storage: journal, records: records, tree: tree, shape: shape,
      digest: { Digest(hashing: $0) })
    let earlierKernels = try journal.kernels()
    let isResumed = folder.isResumed
    let chronicle = Chronicle(place.eventPath) { log.warning("\($0)") }
    chronicle.noteStart(identity, resuming: isResumed ? ledger.count : nil)
    self.chronicle = chronicle
    self.place = place
    self.folder = folder
    self.journal = journal
    self.ledger = ledger
    kernels = KernelRecord(
      earlier: earlierKernels, keep: { [journal] in try journal.note(kernels: $0) })
    self.defects = defects
  }

  var path: FilePath { folder.path }

  /// Whose kernels computed what is here.
  let kernels: KernelRecord

  var isResumed: Bool { folder.isResumed }

  /// The model as the run has found it in this life and in earlier ones.
  func reference(_ checkpoint: Checkpoint) throws -> ModelReference {
    ModelReference(checkpoint, recorded: try journal.checksums()) { [journal] checksums in
      try journal.note(checksums)
    }
  }

  /// Does a part of the run. When it fails, what was computed stays for `--resume`; where nothing
  /// was, nothing is left.
  mutating func surviving<Result>(
    _ console: Console, _ body: (inout RunWorkspace) throws -> Result
  ) throws -> Result {
    if isResumed {
      for defect in defects {
        let again = defect.isShard ? "it is written again" : "its samples are computed again"
        console.log.warning("\(defect.fileName) is damaged or missing: \(again)")
      }
      console.log.notice("resuming: \(ledger.count) results reused")
    }
    do {
      let result = try body(&self)
      // Whatever fails from now on, the work is done.
      folder.keep()
      return result
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
    folder.removeLeftovers(in: [place.journal.removingLastComponent()])
    folder.keep()
    try journal.removeAll()
    folder.finish()
  }

  /// The run's result stands elsewhere: the folder goes, too.
  consuming func remove() throws {
    try journal.removeAll()
    folder.remove()
  }

  /// Removes the folder of a run that was killed when its result stood elsewhere.
  static func removeScraps(_ place: Place) {
    // Another's folder by this name, or one at work, is none of our business.
    guard SmallFile.exists(place.path),
      let folder = try? OutputFolder(place.path, place.layout)
    else { return }
    folder.remove()
  }
}

extension RunWorkspace.Place {
  /// Whether the folder holds the finished result as it is wanted, so that `--resume` has nothing
  /// to do; says so, or what is to be done.
  ///
  /// - Parameters:
  ///   - data: of which the perplexities are wanted; nil: of none.
  ///   - questions: to which the answers are wanted; nil: to none.
  func isComplete(
    _ finished: FinishedRun?, _ format: CheckpointFormat, evaluatingOver data: Digest? = nil,
    answering questions: Digest? = nil, _ console: Console
  ) throws -> Bool {
    guard let finished, !hasJournal else { return false }
    let tasks = finished.tasks(format, evaluatingOver: data, answering: questions)
    guard tasks.isEmpty else {
      for task in tasks { console.log.notice("\(task)") }
      return false
    }
    try clearScraps()
    console.log.notice("\(path) is complete: there is nothing to resume")
    return true
  }

  /// Removes what a run left that was killed after its result was complete.
  private func clearScraps() throws {
    guard OutputFolder.hasLock(path) else { return }
    let folder = try OutputFolder(path, layout, .reopening)
    Folder.remove(RunJournal.scrap(of: journalPath))
    folder.removeLeftovers(in: [journal.removingLastComponent()])
    folder.finish()
  }
}
