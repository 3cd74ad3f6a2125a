internal import Coordination
internal import FlapCore
internal import Storage

/// What came of a computation.
enum ComputeOutcome: Sendable {
  /// To be sent to the coordinator; until then it waits on disk: a report, or a shard.
  case result(SpooledFile)
  /// Stands in the output folder.
  case shard(fileName: String, CommittedFile)
  case failed(TaskFailure.Class, reason: String)
}
