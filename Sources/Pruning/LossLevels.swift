/// The counts of kept units at which a module's losses are measured, few enough that measuring costs
/// no more than some passes over the calibration samples.
public enum LossLevels {
  /// Counts of a module with more units: eighths, and one level close to all.
  private static let sixteenths = [1, 2, 4, 6, 8, 10, 12, 14, 15]

  /// Ascending, fewer than all: every count of few units, as of groups; of many, as of neurons, some.
  public static func counts(of units: Int) -> [Int] {
    guard units > sixteenths.count + 1 else { return Array(1..<max(units, 1)) }
    var counts: [Int] = []
    for part in sixteenths {
      let count = max(1, units * part / 16)
      if counts.last != count { counts.append(count) }
    }
    return counts
  }
}
