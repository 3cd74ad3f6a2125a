internal import Chronicle
internal import Foundation
internal import Host
internal import Journal
internal import Storage
public import SystemPackage

/// `flap-coord status`: what a run is doing, asked from another terminal.
public struct StatusRun: Sendable {
  public enum Place: Sendable {
    /// `--output` of the run.
    case output(FilePath)
    /// `--metrics` of the run.
    case metrics(String)
  }

  let place: Place

  public init(_ place: Place) { self.place = place }

  /// - Throws: ``UsageError`` where no run is, or none answers.
  public func run(_ console: Console) throws {
    let summary =
      switch place {
      case .output(let path): try summary(of: path)
      case .metrics(let address): try summary(from: address)
      }
    try console.show(summary, table: summary.table)
  }

  // MARK: Asked over HTTP

  private static let answerLimit = 64 << 20
  private static let answerTime = Duration.seconds(10)

  private func summary(from address: String) throws -> StatusSummary {
    let (host, port) = try MetricsServer.place(of: address)
    let answer: [UInt8]
    do throws(FetchError) {
      answer = try Host.fetch(
        "/status", from: host, port: port, limit: StatusRun.answerLimit,
        within: StatusRun.answerTime)
    } catch {
      throw UsageError(
        "no run answers at \(address) (\(error)): it has ended, or runs with another --metrics")
    }
    guard let story = RunEvent(line: answer)?.story else {
      throw UsageError("what answers at \(address) is no flap-coord of this version")
    }
    return StatusSummary(
      .running, line: "\(address): \(StatusRun.running(story))", story, resultsKept: nil)
  }

  // MARK: Read from the run's folder

  private func summary(of output: FilePath) throws -> StatusSummary {
    // A run that writes one file has its folder beside it until the file is there.
    let beside = FilePath(output.string + ".run")
    if RunJournal.exists(in: beside.appending("journal")) {
      return try summary(output, folder: beside, records: beside)
    }
    return try summary(output, folder: output, records: output.appending("flap"))
  }

  /// - Parameters:
  ///   - folder: that the run has locked.
  ///   - records: where its journal and its events are.
  private func summary(_ output: FilePath, folder: FilePath, records: FilePath) throws
    -> StatusSummary
  {
    let story = RunStory(eventsIn: records)
    let journal = records.appending("journal")
    let hasJournal = RunJournal.exists(in: journal)
    let results = hasJournal ? RunJournal.resultCount(in: journal) : nil
    func summary(_ state: StatusSummary.State, _ line: String) -> StatusSummary {
      StatusSummary(state, line: "\(output): \(line)", story, resultsKept: results)
    }
    switch OutputFolder.isInUse(folder) {
    case true?: return summary(.running, StatusRun.running(story))
    case nil where hasJournal:
      // Another user's.
      return summary(.running, "not finished; whether it runs only its owner can tell")
    default: break
    }
    if hasJournal {
      let reason = story.ending?.reason.map { ": \($0)" } ?? ""
      let ending = story.ending?.event == .failed ? "failed\(reason)" : "interrupted"
      return summary(.interrupted, "\(ending): continue with --resume")
    }
    guard SmallFile.exists(records.appending("run.json")) || isFile(output) else {
      throw UsageError(
        "no run in \(output): it was never there, or it failed before anything was worth keeping")
    }
    return summary(.finished, "finished")
  }

  private func isFile(_ path: FilePath) -> Bool {
    var isFolder: ObjCBool = false
    return FileManager.default.fileExists(atPath: path.string, isDirectory: &isFolder)
      && !isFolder.boolValue
  }

  private static func running(_ story: RunStory) -> String {
    guard let start = story.start else { return "running" }
    let place = start.host.map { " on \($0)" } ?? ""
    let process = start.process.map { ", process \($0)" } ?? ""
    return "running\(place)\(process)" + (story.isDraining ? ", draining after Ctrl-C" : "")
  }
}
