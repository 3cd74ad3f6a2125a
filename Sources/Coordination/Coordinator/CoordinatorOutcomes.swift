public import FlapCore
import Statistics

/// The result of a task, complete.
public enum TaskResult: Hashable, Sendable {
  /// The bytes that were received; what they mean depends on the task's kind of work.
  case received(byteCount: Int, Digest)
  /// A shard that the worker has put into the output folder.
  case written(ShardCommitted)

  public var digest: Digest {
    switch self {
    case .received(_, let digest): digest
    case .written(let shard): shard.digest
    }
  }
}

/// Why a run ends before its time.
public enum RunFailure: Error, Hashable, Sendable, CustomStringConvertible {
  /// A worker said that no other could do better: bad input.
  case permanent(String)
  case attemptsExhausted(TaskID, String, reason: String)
  case poisonTask(TaskID, String, reason: String)
  case resultsDiffer(TaskID, String)
  case noWorkers(after: Duration)

  public var description: String {
    switch self {
    case .permanent(let reason): reason
    case .attemptsExhausted(_, let work, let reason):
      "\(work) failed on every try; the last time: \(reason)"
    case .poisonTask(_, let work, let reason):
      "\(work) took three workers down; the last time: \(reason)"
    case .resultsDiffer(_, let work):
      "two workers computed different bits for \(work): run workers with the same CPU type and "
        + "libraries, or drop --strict"
    case .noWorkers(let time):
      "no worker for \(Int(time.seconds)) s: start some, or see above why those there were ended"
    }
  }
}

/// What a coordinator tells people.
public enum LogEvent: Hashable, Sendable {
  case workerJoined(WorkerID, host: String, processID: Int)
  case workerRefused(WorkerID, host: String, reason: String)
  case workerLost(WorkerID, host: String, reason: String)
  case mixedKernels(String, String)
  case taskFailed(TaskFailure, String, host: String)
  case taskRequeued(TaskAttempt, String)
  case hostExcluded(String)
  case speculation(TaskID, String)
  case resultsDiffer(TaskAttempt, String, Digest, Digest)

  public var isWarning: Bool {
    switch self {
    case .workerJoined, .speculation: false
    default: true
    }
  }
}

extension LogEvent: CustomStringConvertible {
  public var description: String {
    switch self {
    case .workerJoined(let id, let host, let processID):
      "worker \(id) joined (\(host), process \(processID))"
    case .workerRefused(let id, _, let reason): "worker \(id) refused: \(reason)"
    case .workerLost(let id, let host, let reason): "worker \(id) on \(host) lost: \(reason)"
    case .mixedKernels(let first, let other):
      "workers compute with different kernels (\(first); \(other)): bits may depend on who "
        + "computes what"
    case .taskFailed(let failure, let work, let host):
      "\(work) failed on \(host), attempt \(failure.attempt.attempt): \(failure.reason)"
    case .taskRequeued(let attempt, let work):
      "\(work), attempt \(attempt.attempt), goes to another worker"
    case .hostExcluded(let host): "\(host) is left out: two different tasks failed there"
    case .speculation(_, let work): "\(work) takes long: another worker tries it too"
    case .resultsDiffer(let attempt, let work, let accepted, let other):
      "DIFFERENT BITS for \(work): accepted \(accepted.prefix), attempt \(attempt.attempt) has "
        + "\(other.prefix)"
    }
  }
}
