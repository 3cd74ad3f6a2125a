/// How many bytes of results may be on their way or in memory at once, over all workers.
///
/// Reports are let in in the order in which they were announced. One that is larger than the
/// whole budget comes alone.
struct ReceiveBudget: Sendable {
  private let byteCount: Int
  private var admitted: [TaskAttempt: Int] = [:]
  private var admittedBytes = 0
  private var waiting: [(attempt: TaskAttempt, byteCount: Int)] = []

  init(byteCount: Int) { self.byteCount = byteCount }

  mutating func enqueue(_ attempt: TaskAttempt, byteCount: Int) {
    waiting.append((attempt, byteCount))
  }

  /// The next report that there is room for.
  mutating func admitNext() -> TaskAttempt? {
    guard let next = waiting.first,
      admitted.isEmpty || admittedBytes + next.byteCount <= byteCount
    else { return nil }
    waiting.removeFirst()
    admitted[next.attempt] = next.byteCount
    admittedBytes += next.byteCount
    return next.attempt
  }

  /// The report was stored, or is not wanted.
  mutating func release(_ attempt: TaskAttempt) {
    if let bytes = admitted.removeValue(forKey: attempt) {
      admittedBytes -= bytes
    } else {
      waiting.removeAll { $0.attempt == attempt }
    }
  }

  /// Reports that came or wait.
  var count: Int { admitted.count + waiting.count }

  func isAdmitted(_ attempt: TaskAttempt) -> Bool { admitted[attempt] != nil }

  func isWaiting(_ attempt: TaskAttempt) -> Bool { waiting.contains { $0.attempt == attempt } }
}
