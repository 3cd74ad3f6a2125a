/// In what order the units at a tap go, if the rest is fitted anew each time, and what their going
/// does to the map that the tap feeds (`RemovalOrder` in LeastSquares).
///
/// By channel, so that it has the arrays of every statistic of a tap: a group's channels all have
/// what is their group's. As bytes: the ranks, then the errors, f64 [channels] each.
public struct RemovalCurve: Statistic {
  public static let kind = StatisticKind("removal-curve")
  public static let source = StatisticSource.maps

  /// Units that go before this one, [channels].
  public var ranks: [Double]
  /// Squared error of the map's output without the units that go before this one, the rest fitted;
  /// per token, summed over the outputs, [channels].
  public var errors: [Double]

  /// - Parameters:
  ///   - order: units, the first goes first.
  ///   - errors: without the first k of them, [units].
  ///   - unitWidth: channels of a unit, side by side.
  public init(order: [Int], errors: [Double], unitWidth: Int) {
    precondition(order.count == errors.count, "an error before each removal")
    ranks = Array(repeating: 0, count: order.count * unitWidth)
    self.errors = ranks
    for (rank, unit) in order.enumerated() {
      for channel in unit * unitWidth..<(unit + 1) * unitWidth {
        ranks[channel] = Double(rank)
        self.errors[channel] = errors[rank]
      }
    }
  }

  /// Of the maps of several experts, whose channels lie beside one another.
  public init(maps: [RemovalCurve]) {
    ranks = maps.flatMap(\.ranks)
    errors = maps.flatMap(\.errors)
  }

  /// - Precondition: one of each per channel.
  public init(ranks: [Double], errors: [Double]) {
    precondition(ranks.count == errors.count, "one of each per channel")
    self.ranks = ranks
    self.errors = errors
  }

  /// Ranks of the units, [units], within each of several maps; nil where they are no order of
  /// units of this width.
  public func unitRanks(width: Int, mapCount: Int = 1) -> [Int]? {
    guard mapCount > 1 else { return unitRanks(ranks[...], width) }
    guard ranks.count % mapCount == 0 else { return nil }
    let size = ranks.count / mapCount
    var all: [Int] = []
    for first in stride(from: 0, to: ranks.count, by: size) {
      guard let own = unitRanks(ranks[first..<first + size], width) else { return nil }
      all += own
    }
    return all
  }

  private func unitRanks(_ ranks: ArraySlice<Double>, _ width: Int) -> [Int]? {
    let ranks = Array(ranks)
    guard width > 0, ranks.count % width == 0 else { return nil }
    let units = stride(from: 0, to: ranks.count, by: width).map { ranks[$0] }
    var isTaken = Array(repeating: false, count: units.count)
    for (unit, rank) in units.enumerated() {
      guard rank >= 0, rank < Double(units.count), rank == rank.rounded(), !isTaken[Int(rank)],
        ranks[unit * width..<(unit + 1) * width].allSatisfy({ $0 == rank })
      else { return nil }
      isTaken[Int(rank)] = true
    }
    return units.map { Int($0) }
  }

  /// Errors without the first k units, k from 0 to units − 1; of several maps, their sums without the
  /// first k of each.
  public func unitErrors(width: Int, mapCount: Int = 1) -> [Double]? {
    guard let ranks = unitRanks(width: width, mapCount: mapCount) else { return nil }
    var sorted = Array(repeating: 0.0, count: ranks.count / mapCount)
    for (unit, rank) in ranks.enumerated() { sorted[rank] += errors[unit * width] }
    return sorted
  }

  public static func byteCount(channelCount: Int) -> Int { 16 * channelCount }

  public var bytes: [UInt8] {
    var writer = ByteWriter(byteCount: RemovalCurve.byteCount(channelCount: ranks.count))
    writer.append(ranks)
    writer.append(errors)
    return writer.bytes
  }

  public init(bytes: [UInt8], channelCount: Int) {
    var reader = ByteReader(bytes)
    guard let ranks = reader.values(channelCount), let errors = reader.values(channelCount) else {
      preconditionFailure("a curve of \(channelCount) channels in \(bytes.count) bytes")
    }
    self.init(ranks: ranks, errors: errors)
  }

  public func validate() throws(StatisticDefect) {
    for values in [ranks, errors] {
      for (channel, value) in values.enumerated() where !(value >= 0 && value < .infinity) {
        throw value < 0 ? .negative(channel: channel) : .notFinite(channel: channel)
      }
    }
  }

  public static let arrayNames = ["removal_rank", "removal_error"]
  public var arrays: [[Double]] { [ranks, errors] }
  public init(arrays: [[Double]], tokenCount: Int) {
    self.init(ranks: arrays[0], errors: arrays[1])
  }
}
