internal import FlapCore
internal import Foundation
internal import Journal
internal import Storage
internal import SystemPackage

/// A run that has come to its end, as `flap/run.json` in its output folder tells.
struct FinishedRun: Decodable {
  /// What decided its result; see ``RunIdentity``.
  let terms: [String: String]

  /// Whether `folder` holds the finished result of a run under these terms, so that `--resume` has
  /// nothing to do.
  ///
  /// - Throws: ``JournalError/otherRun(_:_:)`` when it is the result of another run.
  static func isThere(_ folder: FilePath, as identity: RunIdentity) throws -> Bool {
    let path = folder.pushing("flap/run.json")
    guard SmallFile.exists(path), !RunJournal.exists(in: folder.pushing("flap/journal")) else {
      return false
    }
    let bytes = try SmallFile.read(path, limit: Limits.jsonFileBytes)
    guard let run = try? JSONDecoder().decode(FinishedRun.self, from: Data(bytes)) else {
      return false
    }
    let earlier = RunIdentity(facts: run.terms.map { ($0.key, $0.value) })
    let differences = identity.differences(from: earlier)
    guard differences.isEmpty else { throw JournalError.otherRun(folder.string, differences) }
    return true
  }
}
