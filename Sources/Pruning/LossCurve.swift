public import FlapCore

/// What the model loses when one module alone, attention or MLP of a layer, is left with only some
/// of its units: measured at a few counts; between them the error curve gives the shape.
public struct LossCurve: Hashable, Sendable {
  /// One measurement: the model in which only this module has lost units.
  public struct Level: Hashable, Sendable {
    /// Units (groups or neurons) that the module keeps.
    public var kept: Int
    /// Loss above that of the dense model, in nats per token. Noise can make it negative.
    public var loss: Double

    public init(kept: Int, loss: Double) {
      self.kept = kept
      self.loss = loss
    }
  }

  /// [units]: mean squared error of the module's output map without the first k units of its order
  /// of removal, for k from 0 to units − 1.
  public let errors: [Double]
  /// Ascending by kept units, from 1 to units − 1: with all of them the loss is 0 by definition.
  public let measured: [Level]

  /// - Parameter measured: in any order. ``validate(layer:tap:)`` checks what came from a file or a
  ///   peer.
  public init(errors: [Double], measured: [Level]) {
    self.errors = errors
    self.measured = measured.sorted { ($0.kept, $0.loss) < ($1.kept, $1.loss) }
  }

  /// Groups or neurons of the module.
  public var unitCount: Int { errors.count }

  /// - Parameters: where the module is, for the message.
  /// - Throws: if a number is not finite, or levels are missing, doubled or out of range.
  public func validate(layer: Int, tap: Tap) throws(PruningError) {
    if let removed = errors.firstIndex(where: { !$0.isFinite }) {
      throw .errorNotFinite(layer: layer, tap: tap, removed: removed)
    }
    var last = 0
    for level in measured {
      guard level.kept > last, level.kept < unitCount else {
        throw .lossLevelUnusable(layer: layer, tap: tap, kept: level.kept, units: unitCount)
      }
      guard level.loss.isFinite else {
        throw .lossNotFinite(layer: layer, tap: tap, kept: level.kept)
      }
      last = level.kept
    }
    guard unitCount <= 1 || !measured.isEmpty else {
      throw .lossNotMeasured(layer: layer, tap: tap)
    }
  }

  /// [units]: loss with 1, 2, … all units kept, in nats per token; it never rises, and ends with 0.
  ///
  /// Measured losses count at least 0, and at least what any larger count loses. Between
  /// neighbours a < b, of which b may be all units,
  ///
  ///     loss(k) = loss(b) + (loss(a) − loss(b)) · (E(k) − E(b)) / (E(a) − E(b))
  ///
  /// with E(k) = ``errors``[units − k], or linear in k where E(a) = E(b). Below the least measured
  /// count a: loss(a) · E(k) / E(a), or loss(a) where E(a) = 0. Errors count at least 0 too, and at
  /// least what fewer removed units have: rounding must not make a loss fall with what is removed.
  ///
  /// - Precondition: ``validate(layer:tap:)`` throws nothing.
  public var losses: [Double] {
    guard unitCount > 0 else { return [] }
    let errors = risingErrors
    var losses = Array(repeating: 0.0, count: unitCount)
    var upper = Level(kept: unitCount, loss: 0)
    for level in measured.reversed() {
      let lower = Level(kept: level.kept, loss: min(max(level.loss, upper.loss), Self.largestLoss))
      losses[lower.kept - 1] = lower.loss
      for kept in lower.kept + 1..<upper.kept {
        let part = Self.part(of: kept, between: lower, and: upper, errors)
        // Not above the neighbour, which rounding could bring about.
        losses[kept - 1] = min(upper.loss + (lower.loss - upper.loss) * part, lower.loss)
      }
      upper = lower
    }
    let leastError = errors[unitCount - upper.kept]
    for kept in 1..<upper.kept {
      let growth = leastError > 0 ? errors[unitCount - kept] / leastError : 1
      // No loss stays none, however the error grows: 0 · ∞ is no number.
      losses[kept - 1] = upper.loss > 0 ? min(upper.loss * growth, Self.largestLoss) : 0
    }
    return losses
  }

  /// So that sums over all modules are finite, whatever the errors are.
  private static let largestLoss = 1e100

  /// How far a count is on its way from `upper` (0) to `lower` (1).
  private static func part(
    of kept: Int, between lower: Level, and upper: Level, _ errors: [Double]
  ) -> Double {
    let units = errors.count
    let span = errors[units - lower.kept] - errors[units - upper.kept]
    guard span > 0 else { return Double(upper.kept - kept) / Double(upper.kept - lower.kept) }
    return (errors[units - kept] - errors[units - upper.kept]) / span
  }

  private var risingErrors: [Double] {
    var largest = 0.0
    return errors.map {
      largest = max(largest, $0)
      return largest
    }
  }
}
