public import FlapCore

/// The result of a task, complete.
public enum TaskResult: Hashable, Sendable {
  /// The bytes that were received; what they mean depends on the task's kind of work. Sums that they
  /// tell of can be asked for at the endpoint.
  case received(byteCount: Int, Digest, endpoint: String = "")
  /// A shard that the worker has put into the output folder.
  case written(ShardCommitted)

  public var digest: Digest {
    switch self {
    case .received(_, let digest, _): digest
    case .written(let shard): shard.digest
    }
  }
}
