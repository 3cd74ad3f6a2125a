/// How much each expert of a layer does, over some tokens; f is what it gives, before the gate.
public struct ExpertActivity: Hashable, Sendable {
  /// Tokens that go through it.
  public internal(set) var counts: [Int]
  /// Σ gate.
  public internal(set) var gateSums: [Double]
  /// Σ ‖f(x)‖₂.
  public internal(set) var normSums: [Double]
  /// Σ gate · ‖f(x)‖₂.
  public internal(set) var gatedNormSums: [Double]

  /// - Precondition: one of each per expert.
  public init(counts: [Int], gateSums: [Double], normSums: [Double], gatedNormSums: [Double]) {
    precondition(
      [gateSums.count, normSums.count, gatedNormSums.count].allSatisfy { $0 == counts.count },
      "One of each per expert.")
    self.counts = counts
    self.gateSums = gateSums
    self.normSums = normSums
    self.gatedNormSums = gatedNormSums
  }

  public var expertCount: Int { counts.count }
}

extension ExpertActivity: Mergeable {
  /// Sums, in f64.
  public mutating func merge(_ right: ExpertActivity) {
    precondition(expertCount == right.expertCount, "Experts of different layers do not merge.")
    for expert in 0..<expertCount {
      counts[expert] += right.counts[expert]
      gateSums[expert] += right.gateSums[expert]
      normSums[expert] += right.normSums[expert]
      gatedNormSums[expert] += right.gatedNormSums[expert]
    }
  }
}

extension ExpertActivity: SampleStatistic {
  public static let kind = StatisticKind("expert-activity")
  public static let source = StatisticSource.experts

  /// The counts, then the sums of gates, of norms and of both.
  public static func byteCount(channelCount: Int) -> Int { 32 * channelCount }

  public var bytes: [UInt8] {
    var writer = ByteWriter(byteCount: ExpertActivity.byteCount(channelCount: expertCount))
    for count in counts { writer.append(count: count) }
    for sums in [gateSums, normSums, gatedNormSums] { writer.append(sums) }
    return writer.bytes
  }

  public init(bytes: [UInt8], channelCount: Int) {
    var reader = ByteReader(bytes)
    // A count that cannot be becomes one that ``validate()`` refuses.
    let counts = (0..<channelCount).map { _ in reader.count() ?? -1 }
    guard let gates = reader.values(channelCount), let norms = reader.values(channelCount),
      let gated = reader.values(channelCount)
    else { preconditionFailure("activity of \(channelCount) experts in \(bytes.count) bytes") }
    self.init(counts: counts, gateSums: gates, normSums: norms, gatedNormSums: gated)
  }

  public func validate() throws(StatisticDefect) {
    for count in counts where !(0...ByteReader.largestCount).contains(count) {
      throw .tokenCount(found: count)
    }
    for sums in [gateSums, normSums, gatedNormSums] {
      for (expert, sum) in sums.enumerated() where !(sum >= 0 && sum < .infinity) {
        throw sum < 0 ? .negative(channel: expert) : .notFinite(channel: expert)
      }
    }
  }

  public static let arrayNames = [
    "expert_count", "expert_gate_sum", "expert_norm_sum", "expert_gated_norm_sum",
  ]
  public var arrays: [[Double]] {
    [counts.map(Double.init), gateSums, normSums, gatedNormSums]
  }
  public init(arrays: [[Double]], tokenCount: Int) {
    self.init(
      // Beyond 2⁵³, or no whole number: one that ``validate()`` refuses.
      counts: arrays[0].map { Int(exactly: $0) ?? -1 }, gateSums: arrays[1], normSums: arrays[2],
      gatedNormSums: arrays[3])
  }
}
