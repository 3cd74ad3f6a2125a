/// What the model loses, measured on the samples held out, when the units at one tap alone are
/// fewer: the Kullback-Leibler divergence from the dense model's predictions.
///
/// As bytes: up to ``levelLimit`` counts of kept units, ascending, then as many divergences, f64
/// each; levels that are not used are zeros.
public struct ModuleLosses: Statistic {
  public static let kind = StatisticKind("module-losses")
  public static let source = StatisticSource.maps
  public static let levelLimit = 32

  public struct Level: Hashable, Sendable {
    /// Units that stay.
    public var kept: Int
    /// Mean over the tokens, in nats.
    public var divergence: Double

    public init(kept: Int, divergence: Double) {
      self.kept = kept
      self.divergence = divergence
    }
  }

  /// Ascending.
  public var levels: [Level]

  /// - Precondition: at most ``levelLimit``.
  public init(_ levels: [Level]) {
    precondition(levels.count <= ModuleLosses.levelLimit, "levels that a statistic has room for")
    self.levels = levels
  }

  public static func byteCount(channelCount: Int) -> Int { 16 * levelLimit }

  public var bytes: [UInt8] {
    var writer = ByteWriter(byteCount: 16 * ModuleLosses.levelLimit)
    for array in arrays { writer.append(array) }
    return writer.bytes
  }

  public init(bytes: [UInt8], channelCount: Int) {
    var reader = ByteReader(bytes)
    guard let kept = reader.values(ModuleLosses.levelLimit),
      let divergences = reader.values(ModuleLosses.levelLimit)
    else { preconditionFailure("losses in \(bytes.count) bytes") }
    self.init(arrays: [kept, divergences], tokenCount: 0)
  }

  /// A count that cannot be becomes −1, which is refused.
  public func validate() throws(StatisticDefect) {
    for (index, level) in levels.enumerated() {
      guard level.kept > (index == 0 ? 0 : levels[index - 1].kept) else {
        throw .negative(channel: index)
      }
      guard level.divergence.isFinite else { throw .notFinite(channel: index) }
    }
  }

  public static let arrayNames = ["loss_level", "loss"]
  public static func arrayLength(channelCount: Int) -> Int { levelLimit }

  public var arrays: [[Double]] {
    let unused = Array(repeating: 0.0, count: ModuleLosses.levelLimit - levels.count)
    return [levels.map { Double($0.kept) } + unused, levels.map(\.divergence) + unused]
  }

  public init(arrays: [[Double]], tokenCount: Int) {
    self.init(
      zip(arrays[0], arrays[1]).prefix { $0.0 != 0 }.map { kept, divergence in
        Level(kept: Int(exactly: kept) ?? -1, divergence: divergence)
      })
  }
}
