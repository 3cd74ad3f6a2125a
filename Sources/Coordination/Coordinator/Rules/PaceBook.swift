/// How long work usually takes, per kind: what is slow is judged against its like.
struct PaceBook: Sendable {
  struct Pace: Sendable {
    /// Between two moments at which a task was seen to move.
    var pause = RecentDurations()
    var task = RecentDurations()
  }

  private var paces = [Pace](repeating: Pace(), count: Work.Kind.allCases.count)

  subscript(kind: Work.Kind) -> Pace {
    get { paces[kind.rawValue] }
    _modify { yield &paces[kind.rawValue] }
  }
}

/// The last durations of something, and their median.
struct RecentDurations: Sendable {
  static let capacity = 63
  private var recent: [Duration] = []
  private var next = 0
  /// nil before the first.
  private(set) var median: Duration?

  mutating func add(_ duration: Duration) {
    if recent.count < RecentDurations.capacity {
      recent.append(duration)
    } else {
      recent[next] = duration
      next = (next + 1) % RecentDurations.capacity
    }
    median = recent.sorted()[recent.count / 2]
  }
}
