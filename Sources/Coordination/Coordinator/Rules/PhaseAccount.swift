/// The tasks that were submitted last, together, and what workers have taken for them.
struct PhaseAccount: Sendable {
  let taskCount: Int
  /// Of all tasks that were submitted before.
  let earlierCost: Double
  let began: Instant
  /// Of whole tasks of each kind: what they cost, and the time from their assignment until they were
  /// safe.
  private(set) var done: [Work.Kind: (cost: Double, seconds: Double)] = [:]

  init(taskCount: Int, earlierCost: Double, began: Instant) {
    self.taskCount = taskCount
    self.earlierCost = earlierCost
    self.began = began
  }

  mutating func note(_ work: Work, cost: Double, _ duration: Duration) {
    let before = done[work.kind, default: (0, 0)]
    done[work.kind] = (before.cost + cost, before.seconds + duration.seconds)
  }
}
