/// What each expert of a layer gives, summed over the tokens that go through it, before the gate: with
/// the counts of ``ExpertActivity`` the mean output that can take its place (MoNE, arXiv 2507.00390).
///
/// Eight bytes for every expert and channel of the stream, so it is measured only when it is asked for.
public struct ExpertOutputs: Hashable, Sendable {
  /// Σ f(x), [experts, hidden].
  public internal(set) var sums: [Double]

  public init(sums: [Double]) { self.sums = sums }
}

extension ExpertOutputs {
  /// The mean output of one expert; zeros for one that no token goes through.
  ///
  /// - Precondition: the activity is of the same layer and tokens.
  public func mean(ofExpert expert: Int, _ activity: ExpertActivity) -> [Double] {
    let width = sums.count / activity.expertCount
    let count = Double(max(activity.counts[expert], 1))
    return sums[expert * width..<(expert + 1) * width].map { $0 / count }
  }
}

extension ExpertOutputs: Mergeable {
  /// Sums, in f64.
  public mutating func merge(_ right: ExpertOutputs) {
    precondition(sums.count == right.sums.count, "Experts of different layers do not merge.")
    for index in sums.indices { sums[index] += right.sums[index] }
  }
}

extension ExpertOutputs: SampleStatistic {
  public static let kind = StatisticKind("expert-outputs")
  public static let source = StatisticSource.expertOutputs

  public static func byteCount(channelCount: Int) -> Int { 8 * channelCount }

  public var bytes: [UInt8] {
    var writer = ByteWriter(byteCount: ExpertOutputs.byteCount(channelCount: sums.count))
    writer.append(sums)
    return writer.bytes
  }

  public init(bytes: [UInt8], channelCount: Int) {
    var reader = ByteReader(bytes)
    guard let sums = reader.values(channelCount) else {
      preconditionFailure("outputs of experts, \(channelCount) in \(bytes.count) bytes")
    }
    self.init(sums: sums)
  }

  public func validate() throws(StatisticDefect) {
    guard let channel = sums.firstIndex(where: { !$0.isFinite }) else { return }
    throw .notFinite(channel: channel)
  }

  public static let arrayNames = ["expert_output_sum"]
  public var arrays: [[Double]] { [sums] }
  public init(arrays: [[Double]], tokenCount: Int) { self.init(sums: arrays[0]) }
}
