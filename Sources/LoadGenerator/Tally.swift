internal import Coordination
internal import Host

/// Counts what happened.
struct Tally {
  private(set) var reportCount = 0
  private(set) var normCount = 0
  private(set) var sumCount = 0
  private(set) var sentBytes = 0
  private(set) var endedCount = 0
  private(set) var lostCount = 0
  private(set) var lastLoss = ""
  /// Attempts whose results are moments.
  private var momentsAttempts: Set<TaskAttempt> = []
  /// Attempts at sums of maps, and at adding them up.
  private var sumAttempts: Set<TaskAttempt> = []
  private var firstReport: Instant?
  private var lastReport: Instant?

  /// From the first report of moments that was announced to the last one acknowledged.
  var reportTime: Duration {
    guard let firstReport, let lastReport else { return .zero }
    return lastReport - firstReport
  }

  mutating func note(_ happening: SyntheticWorker.Happening) {
    switch happening {
    case .assigned(let assignment):
      switch assignment.work.kind {
      case .measureSamples: momentsAttempts.insert(assignment.attempt)
      case .sum, .merge: sumAttempts.insert(assignment.attempt)
      case .measureWeights, .measureMap, .score, .writeShard: break
      }
    case .announced(let attempt):
      if firstReport == nil, momentsAttempts.contains(attempt) { firstReport = .now }
    case .sent(let byteCount): sentBytes += byteCount
    case .acknowledged(let attempt) where sumAttempts.remove(attempt) != nil: sumCount += 1
    case .acknowledged(let attempt):
      guard momentsAttempts.remove(attempt) != nil else {
        normCount += 1
        return
      }
      reportCount += 1
      lastReport = .now
    case .ended(let ending):
      endedCount += 1
      guard ending.kind != .done else { return }
      lostCount += 1
      lastLoss = ending.reason
    }
  }
}
