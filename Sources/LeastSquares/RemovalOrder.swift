/// In what order the units of a map's input go, if the rest is fitted anew each time (Optimal Brain
/// Surgeon, Hassibi and Stork 1993): next the one without which the output's error grows least.
///
/// With H = (C + λ·diag C)⁻¹ over what is left and w as compensated so far, a channel j costs
/// ‖w_j‖² / H_jj, and a group of channels g costs tr(W_g·H_gg⁻¹·W_gᵀ). 1 / H_jj is the part of x_j's
/// variance that the other channels do not explain. Taking a batch B: W −= W_B·H_BB⁻¹·H_B: and
/// H −= H_:B·H_BB⁻¹·H_B:.
///
/// Channels by themselves go in batches. A batch is taken, one after another, from the cheapest
/// twice as many, whose costs are exact after each that goes; the others' are exact before each
/// batch. So of two channels that say the same only one goes cheaply. A batch of 1 is the exact
/// greedy order.
///
/// Of equals the lower index stays longer. Units whose channels are all constant go first, for
/// nothing. The same order for any number of threads.
public struct RemovalOrder {
  /// Indices of the units, [units]: the first goes first; the last never goes.
  public let order: [Int]
  /// Error of the output without the first k of ``order``, k from 0 to units − 1, the rest fitted:
  /// least over W' of tr((W − W')·(C + λ·diag C)·(W − W')ᵀ), per token and summed over the
  /// outputs. With the ridge's part, so a little above the mean squared error.
  public let errors: [Double]
  /// λ with which C could be factored: that asked for, or 10 times as much, again and again.
  public let ridge: Double

  /// Of units that go at once.
  public static let largestBatch = 256

  /// How many of so many channels go at once: few enough that there are some 64 batches.
  public static func batch(ofUnits count: Int) -> Int { min(max(count / 64, 1), largestBatch) }

  /// Bytes at the same time, besides W and C: H, W in f64, and a batch's columns of both.
  public static func byteCount(outputs: Int, channels: Int, unitWidth: Int, batch: Int) -> Int {
    let taken = unitWidth == 1 ? 2 * batch : unitWidth
    return Cholesky.byteCount(channels) + Matrix.byteCount(rows: outputs, columns: channels)
      + Matrix.byteCount(rows: outputs + channels + 3 * taken, columns: taken)
      + Matrix.byteCount(rows: min(Cholesky.side, channels), columns: channels)
  }

  /// - Parameters:
  ///   - weight: W.
  ///   - unitWidth: channels of a unit, side by side: 1 for neurons, those of a key/value head's
  ///     queries for groups.
  ///   - batch: units that go at once where `unitWidth` is 1; wider ones go one by one.
  ///   - covariance: of the map's input.
  ///   - ridge: λ > 0.
  ///   - counts: of units that are left when the map is to be seen, from 1 to all. They change
  ///     no bit of the order.
  ///   - visit: sees the most units first; all once more where λ has to be raised on the way. What it
  ///     throws ends the removal.
  public init(
    of weight: WeightRows, unitWidth: Int, batch: Int, from covariance: Covariance, ridge: Double,
    on algebra: AlgebraTeam, visiting counts: [Int] = [],
    _ visit: (RemovalStage) throws -> Void = { _ in }
  ) throws {
    precondition(unitWidth > 0 && batch > 0 && weight.channelCount % unitWidth == 0)
    precondition(weight.channelCount == covariance.channelCount, "One mean per channel.")
    try covariance.validate()
    let unitCount = weight.channelCount / unitWidth
    let channels = (0..<weight.channelCount).filter { !covariance.isConstant($0) }
    let varying = Set(channels.map { $0 / unitWidth })
    let constant = (0..<unitCount).reversed().filter { !varying.contains($0) }
    let (outcome, used) = try withoutActuallyEscaping(visit) { visit in
      try Ridge.raising(from: ridge) {
        (ridge) throws(LeastSquaresError) -> Result<[Elimination.Removal], any Error> in
        do {
          var elimination = try Elimination(
            weight, covariance, channels: channels, ridge: ridge, on: algebra)
          func look(_ elimination: Elimination, _ idle: ArraySlice<Int>) throws {
            try visit(
              RemovalStage(elimination, of: weight, unitWidth, covariance, idle: idle, on: algebra))
          }
          // Units that go for nothing are gone before the first that costs.
          for count in counts.sorted(by: >) where count >= varying.count && count > 0 {
            try look(elimination, constant.suffix(count - varying.count))
          }
          let visits = Elimination.Visits(counts: Set(counts.filter { $0 < varying.count })) {
            try look($0, [])
          }
          return .success(
            unitWidth == 1
              ? try elimination.removeChannels(batch: batch, visits)
              : try elimination.removeGroups(width: unitWidth, visits))
        } catch let error as LeastSquaresError {
          throw error
        } catch {
          return .failure(error)
        }
      }
    }
    let removed = try outcome.get()
    self.ridge = used
    let last = varying.subtracting(removed.map(\.unit)).sorted()
    order = constant + removed.map(\.unit) + last
    var errors = Array(repeating: 0.0, count: min(constant.count + 1, unitCount))
    for removal in removed { errors.append(errors[errors.count - 1] + removal.cost) }
    self.errors = errors
  }

  /// Flags of the units that are left when only some are.
  ///
  /// - Parameter count: from 1 to the number of units.
  public func kept(_ count: Int) -> [Bool] {
    precondition((1...order.count).contains(count), "At least one unit stays.")
    var flags = Array(repeating: false, count: order.count)
    for unit in order.suffix(count) { flags[unit] = true }
    return flags
  }
}
