import FlapCore

/// Which hosts fail, and what is held against them: for a while, and only what is theirs.
struct HostTable: Sendable {
  /// A task that came to nothing on a host.
  private struct Mark: Hashable {
    let task: TaskID
    let time: Instant
    /// The worker was lost with it; else it said that it could not do it.
    let isLoss: Bool
  }

  /// What a loss means.
  enum Verdict: Hashable, Sendable {
    case blamed
    /// Other hosts lost workers in the same moments, which is nobody's fault: a switch, a file
    /// server, this side. Their tasks' losses since then do not count either.
    case together(pardoned: [TaskID])
  }

  private struct Loss {
    let host: String
    /// nil: it was idle.
    let task: TaskID?
    let time: Instant
  }

  private var marks: [String: [Mark]] = [:]
  /// The most workers that a host was seen to have at once.
  private var workerCounts: [String: Int] = [:]
  /// Those that are too recent to know whether they came alone.
  private var recentLosses: [Loss] = []
  /// When the coordinator went on after it had stood still.
  private var stallEnd: Instant?

  /// A worker has joined.
  /// - Parameter count: the workers of its host, with it.
  mutating func note(workerCount count: Int, on host: String) {
    workerCounts[host] = max(count, workerCounts[host] ?? 0)
  }

  /// A worker said that it could not do a task.
  mutating func note(failureOf task: TaskID, on host: String, at now: Instant) {
    add(Mark(task: task, time: now, isLoss: false), to: host)
  }

  /// The coordinator stood still until now: workers that are lost in these moments took it for gone.
  mutating func noteStall(at now: Instant) { stallEnd = now }

  /// A worker died, hung or broke the protocol.
  /// - Parameters:
  ///   - task: that it had; nil: none.
  ///   - window: losses of several hosts within it come together. Those of one task do not: then
  ///     it is the task that takes workers down.
  mutating func note(
    lossOf task: TaskID?, on host: String, at now: Instant, window: Duration
  ) -> Verdict {
    recentLosses.removeAll { now - $0.time > window }
    let others = recentLosses.filter { $0.host != host && ($0.task == nil || $0.task != task) }
    recentLosses.append(Loss(host: host, task: task, time: now))
    let followsStall = stallEnd.map { now - $0 <= window } ?? false
    guard others.isEmpty, !followsStall else {
      return .together(pardoned: others.compactMap { pardon($0) })
    }
    if let task { add(Mark(task: task, time: now, isLoss: true), to: host) }
    return .blamed
  }

  /// - Parameters:
  ///   - limit: different tasks for each worker of the host.
  ///   - span: for which a failure counts.
  func isExcluded(_ host: String, at now: Instant, limit: Int, span: Duration) -> Bool {
    guard let marks = marks[host] else { return false }
    let tasks = Set(marks.lazy.filter { now - $0.time < span }.map(\.task))
    return tasks.count / max(1, workerCounts[host] ?? 1) >= limit
  }

  /// Different tasks that failed on a host within the span.
  func failedTaskCount(_ host: String, at now: Instant, span: Duration) -> Int {
    Set((marks[host] ?? []).lazy.filter { now - $0.time < span }.map(\.task)).count
  }

  private mutating func add(_ mark: Mark, to host: String) {
    // A task counts once, from its last failure on.
    marks[host, default: []].removeAll { $0.task == mark.task }
    marks[host, default: []].append(mark)
  }

  /// - Returns: the task whose loss was held against its host until now.
  private mutating func pardon(_ loss: Loss) -> TaskID? {
    guard let task = loss.task,
      let index = marks[loss.host]?.firstIndex(where: {
        $0.task == task && $0.time == loss.time && $0.isLoss
      })
    else { return nil }
    marks[loss.host]!.remove(at: index)
    return task
  }
}
