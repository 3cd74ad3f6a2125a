/// Why a run ends before its time.
public enum RunFailure: Error, Hashable, Sendable, CustomStringConvertible {
  /// A worker said that no other could do better: bad input.
  case permanent(String)
  case attemptsExhausted(TaskID, String, reason: String)
  /// So many workers died or hung with the task in their hands.
  case poisonTask(TaskID, String, workerCount: Int, reason: String)
  case resultsDiffer(TaskID, String)
  case noWorkers(after: Duration)

  public var description: String {
    switch self {
    case .permanent(let reason): reason
    case .attemptsExhausted(_, let work, let reason):
      "\(work) failed on every try; the last time: \(reason)"
    case .poisonTask(_, let work, let count, let reason):
      "\(work) took \(count) worker\(count == 1 ? "" : "s") down; the last time: \(reason)"
    case .resultsDiffer(_, let work):
      "two workers computed different bits for \(work): run workers with the same CPU type and "
        + "libraries, or drop --strict"
    case .noWorkers(let time):
      "no worker for \(Int(time.seconds)) s: start some, or see above why those there were ended"
    }
  }
}
