/// Which hosts fail.
struct HostTable: Sendable {
  private var failedTasks: [String: Set<TaskID>] = [:]
  private var excluded: Set<String> = []

  func isExcluded(_ host: String) -> Bool { excluded.contains(host) }

  /// - Returns: whether the host is to be left out from now on.
  mutating func note(failureOf task: TaskID, on host: String, limit: Int) -> Bool {
    var tasks = failedTasks.removeValue(forKey: host) ?? []
    tasks.insert(task)
    failedTasks[host] = tasks
    return tasks.count >= limit && excluded.insert(host).inserted
  }
}
