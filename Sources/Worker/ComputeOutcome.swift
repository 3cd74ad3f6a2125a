internal import Coordination
internal import FlapCore
internal import Storage

/// What came of a computation.
enum ComputeOutcome: Sendable {
  /// To be sent to the coordinator; until then it waits on disk: a report, or a shard. What a report
  /// tells of can be asked for at the endpoint.
  case result(SpooledFile, endpoint: String = "")
  /// Waits in the output folder: the coordinator puts it in its place when it counts.
  case shard(WaitingFile, CommittedFile)
  case failed(TaskFailure.Class, reason: String)
}
