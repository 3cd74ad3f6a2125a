/// What a log says of refusals: each one for itself while they are few, in sum when they are many.
///
/// At most ``burst`` lines come at once, and one per ``interval`` afterwards: a flood of peers does
/// not become a flood of lines.
public struct RefusalLines {
  public static let burst = 8
  public static let interval = Duration.seconds(1)

  /// nil where no keys are asked for.
  private let authenticator: Authenticator?
  private var noted = RefusalQueue()
  private var untoldCount = 0
  private var last: Refusal?
  private var freeLines = RefusalLines.burst
  private var countedUntil: ContinuousClock.Instant?

  public init(of authenticator: Authenticator?) { self.authenticator = authenticator }

  /// Adds one that the program itself has turned away.
  public mutating func note(_ refusal: Refusal) { noted.append(refusal) }

  /// Forgets who left by itself until now: hosts probe the port before their workers start.
  public mutating func forgetProbes() {
    guard let authenticator else { return }
    for refusal in authenticator.ledger.take().refusals
    where refusal.reason != .handshakeFailed(.left) { noted.append(refusal) }
  }

  /// The lines that are due, oldest first.
  public mutating func take(at now: ContinuousClock.Instant = .now) -> [String] {
    earnLines(now)
    let own = noted.take()
    let others = authenticator?.ledger.take() ?? (refusals: [], count: 0)
    let refusals = others.refusals + own.refusals
    let isBehind = untoldCount > 0
    untoldCount += others.count + own.count
    last = refusals.last ?? last
    guard freeLines > 0, untoldCount > 0, let last else { return [] }
    if isBehind {
      freeLines -= 1
      defer { untoldCount = 0 }
      return ["and \(untoldCount) more refusals, the last: \(last)"]
    }
    let told = refusals.prefix(freeLines)
    freeLines -= told.count
    untoldCount -= told.count
    return told.map(\.description)
  }

  private mutating func earnLines(_ now: ContinuousClock.Instant) {
    let start = countedUntil ?? now
    let earned = Int((now - start) / RefusalLines.interval)
    countedUntil = start + RefusalLines.interval * earned
    freeLines = min(RefusalLines.burst, freeLines + earned)
  }
}
