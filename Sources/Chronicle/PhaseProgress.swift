/// How far a phase of a run is, and what that says of the time that it still takes.
public struct PhaseProgress: Hashable, Sendable {
  /// Units (tokens, bytes) of the whole phase.
  public let total: Double
  /// Of the phase, 0…1; what is being computed is counted in part.
  public let fraction: Double
  public let elapsedSeconds: Double

  public init(total: Double, fraction: Double, elapsedSeconds: Double) {
    func clamped(_ value: Double) -> Double { value.isFinite ? max(0, value) : 0 }
    self.total = clamped(total)
    self.fraction = min(1, clamped(fraction))
    self.elapsedSeconds = clamped(elapsedSeconds)
  }

  /// Rounded down: 100 only when all is computed.
  public var percent: Int { Int(fraction * 100) }

  /// Whether all is computed and results are still on their way, or being stored.
  public var isStoring: Bool { fraction >= 1 }

  /// Units a second so far; nil at the beginning.
  public var rate: Double? {
    guard fraction > 0, elapsedSeconds > 0 else { return nil }
    return total * fraction / elapsedSeconds
  }

  /// At the rate so far, never negative; nil at the beginning, and while the last results are
  /// stored, which has a rate of its own.
  public var secondsLeft: Double? {
    guard fraction > 0, !isStoring else { return nil }
    let left = max(0, elapsedSeconds / fraction - elapsedSeconds)
    return left.isFinite ? left : nil
  }
}
