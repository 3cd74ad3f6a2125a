public import FlapCore

/// What a coordinator tells people.
public enum LogEvent: Hashable, Sendable {
  case workerJoined(WorkerID, host: String, processID: Int)
  case workerRefused(WorkerID, host: String, reason: String)
  case workerLost(WorkerID, host: String, reason: String, holding: AttemptLabel?)
  /// It went on its own accord, and gave its task back.
  case workerLeft(WorkerID, host: String, reason: String, holding: AttemptLabel?)
  /// The kernels of the results so far, or of the workers that are here, and others.
  case mixedKernels(String, String)
  case hostExcluded(HostExclusion)
  case taskAssigned(AttemptLabel, to: WorkerID, host: String)
  /// The attempt is tried beside an earlier one that takes long.
  case speculation(AttemptLabel, beside: TaskAttempt)
  case taskFailed(AttemptLabel, host: String, reason: String)
  case taskRequeued(AttemptLabel)
  /// The attempt's result is safe.
  case taskStored(AttemptLabel)
  /// The attempt is not needed any more: the result of another one is safe.
  case taskSuperseded(AttemptLabel, by: TaskAttempt)
  /// The attempt has another result than the accepted one.
  case resultsDiffer(AttemptLabel, Digest, accepted: Digest, of: TaskAttempt)

  public var isWarning: Bool {
    switch self {
    case .workerJoined, .workerLeft, .taskAssigned, .speculation, .taskStored, .taskSuperseded:
      false
    case .workerRefused, .workerLost, .mixedKernels, .hostExcluded, .taskFailed, .taskRequeued,
      .resultsDiffer:
      true
    }
  }

  /// Whether it tells of a worker that was turned away.
  public var isRefusal: Bool { if case .workerRefused = self { true } else { false } }

  /// The attempt that it is about, if it is about one.
  public var label: AttemptLabel? {
    switch self {
    case .workerJoined, .workerRefused, .mixedKernels, .hostExcluded: nil
    case .workerLost(_, _, _, let label), .workerLeft(_, _, _, let label): label
    case .taskAssigned(let label, _, _), .speculation(let label, _), .taskFailed(let label, _, _),
      .taskRequeued(let label), .taskStored(let label), .taskSuperseded(let label, _),
      .resultsDiffer(let label, _, _, _):
      label
    }
  }
}

extension LogEvent: CustomStringConvertible {
  public var description: String {
    switch self {
    case .workerJoined(let id, let host, let processID):
      "worker \(id) joined (\(host), process \(processID))"
    case .workerRefused(let id, _, let reason): "worker \(id) refused: \(reason)"
    case .workerLost(let id, let host, let reason, nil):
      "worker \(id) on \(host) lost: \(reason)"
    case .workerLost(let id, let host, let reason, let label?):
      "\(label) lost with worker \(id) on \(host): \(reason)"
    case .workerLeft(let id, let host, let reason, nil):
      "worker \(id) on \(host) left: \(reason)"
    case .workerLeft(let id, let host, let reason, let label?):
      "\(label) given back by worker \(id) on \(host), which left: \(reason)"
    case .mixedKernels(let first, let other):
      "workers compute with different kernels (\(first); \(other)): bits may depend on who "
        + "computes what"
    case .hostExcluded(let exclusion): "\(exclusion)"
    case .taskAssigned(let label, let worker, let host): "\(label) goes to \(worker) on \(host)"
    case .speculation(let label, let earlier):
      "\(label) is tried by another worker, too: \(earlier) takes long"
    case .taskFailed(let label, let host, let reason): "\(label) failed on \(host): \(reason)"
    case .taskRequeued(let label): "\(label) came to nothing: it waits for a worker again"
    case .taskStored(let label): "\(label) is stored"
    case .taskSuperseded(let label, let other):
      "\(label) is not needed any more: \(other) is stored"
    case .resultsDiffer(let label, let digest, let accepted, let other):
      "\(label) has DIFFERENT BITS: \(digest.prefix), accepted \(accepted.prefix) of \(other)"
    }
  }
}

extension Digest {
  /// Enough digits for a person to compare.
  var prefix: String { String(hexadecimal.prefix(12)) }
}
