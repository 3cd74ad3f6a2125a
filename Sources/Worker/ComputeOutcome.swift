internal import Coordination
internal import FlapCore
internal import Storage
internal import SystemPackage

/// What came of a computation.
enum ComputeOutcome: Sendable {
  /// To be sent to the coordinator.
  case result(HeldResult)
  /// Stands in the output folder.
  case shard(fileName: String, CommittedFile)
  case failed(TaskFailure.Class, reason: String)
}

/// A result that waits to be sent, on disk: a report, or a shard.
struct HeldResult: Sendable {
  private enum Body: Sendable {
    case report(SpooledFile)
    case shard(TemporaryFile)
  }

  private let body: Body
  let byteCount: Int
  let digest: Digest

  init(_ report: SpooledFile) {
    body = .report(report)
    byteCount = report.byteCount
    digest = report.digest
  }

  init(_ file: TemporaryFile, _ facts: CommittedFile) {
    body = .shard(file)
    byteCount = facts.byteCount
    digest = facts.digest
  }

  func bytes(in range: Range<Int>) throws -> [UInt8] {
    switch body {
    case .report(let file): try file.bytes(in: range)
    case .shard(let file): try file.bytes(in: range)
    }
  }
}

/// A file that is removed when nobody needs it any more.
final class TemporaryFile: Sendable {
  private let file: MappedFile

  /// - Parameter path: of a file that stands.
  init(path: FilePath) throws {
    file = try MappedFile(path: path)
    // The mapping keeps it; the name is not needed any more.
    Folder.removeFile(path)
  }

  func bytes(in range: Range<Int>) throws -> [UInt8] {
    withExtendedLifetime(file) { Array(file.bytes[range]) }
  }
}
