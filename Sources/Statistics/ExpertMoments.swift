/// What flows into each expert's `down_proj`, summed over the tokens that go through it: with the counts
/// of ``ExpertActivity`` the moments of its neurons.
///
/// Each expert has tokens of its own, and their counts stand there already. Sums are of f32 numbers in f64:
/// a variance made of them is off by some 2⁻⁵³ · mean² of itself, which is small for what activations give.
public struct ExpertMoments: Hashable, Sendable {
  /// Σ x, [experts, neurons].
  public internal(set) var sums: [Double]
  /// Σ x², [experts, neurons].
  public internal(set) var squareSums: [Double]

  /// - Precondition: one of each per neuron.
  public init(sums: [Double], squareSums: [Double]) {
    precondition(sums.count == squareSums.count, "One of each per neuron.")
    self.sums = sums
    self.squareSums = squareSums
  }
}

extension ExpertMoments {
  /// The neurons of one expert among those of all.
  private func neurons(ofExpert expert: Int, _ activity: ExpertActivity) -> Range<Int> {
    let width = sums.count / activity.expertCount
    return expert * width..<(expert + 1) * width
  }

  /// Those of one expert; zeros where no token goes through it.
  ///
  /// - Precondition: the activity is of the same layer and tokens.
  public func moments(ofExpert expert: Int, _ activity: ExpertActivity) -> ChannelMoments {
    let neurons = neurons(ofExpert: expert, activity)
    let count = activity.counts[expert]
    guard count > 0 else { return ChannelMoments(channelCount: neurons.count) }
    let mean = neurons.map { sums[$0] / Double(count) }
    let m2 = zip(neurons, mean).map { neuron, mean in
      max(0, squareSums[neuron] - sums[neuron] * mean)
    }
    return ChannelMoments(count: count, mean: mean, m2: m2)
  }

  /// The mean of every neuron, [experts, neurons]; 0 where no token goes through an expert.
  ///
  /// - Precondition: as of ``moments(ofExpert:_:)``.
  public func means(_ activity: ExpertActivity) -> [Double] {
    (0..<activity.expertCount).flatMap { moments(ofExpert: $0, activity).mean }
  }
}

extension ExpertMoments: Mergeable {
  /// Sums, in f64.
  public mutating func merge(_ right: ExpertMoments) {
    precondition(sums.count == right.sums.count, "Experts of different layers do not merge.")
    for index in sums.indices {
      sums[index] += right.sums[index]
      squareSums[index] += right.squareSums[index]
    }
  }
}

extension ExpertMoments: SampleStatistic {
  public static let kind = StatisticKind("expert-moments")
  public static let source = StatisticSource.expertNeurons

  /// The sums, then those of squares.
  public static func byteCount(channelCount: Int) -> Int { 16 * channelCount }

  public var bytes: [UInt8] {
    var writer = ByteWriter(byteCount: ExpertMoments.byteCount(channelCount: sums.count))
    writer.append(sums)
    writer.append(squareSums)
    return writer.bytes
  }

  public init(bytes: [UInt8], channelCount: Int) {
    var reader = ByteReader(bytes)
    guard let sums = reader.values(channelCount), let squareSums = reader.values(channelCount)
    else { preconditionFailure("moments of \(channelCount) neurons in \(bytes.count) bytes") }
    self.init(sums: sums, squareSums: squareSums)
  }

  public func validate() throws(StatisticDefect) {
    for neuron in sums.indices {
      guard sums[neuron].isFinite, squareSums[neuron].isFinite else {
        throw .notFinite(channel: neuron)
      }
      guard squareSums[neuron] >= 0 else { throw .negative(channel: neuron) }
    }
  }

  public static let arrayNames = ["expert_input_sum", "expert_input_sumsq"]
  public var arrays: [[Double]] { [sums, squareSums] }
  public init(arrays: [[Double]], tokenCount: Int) {
    self.init(sums: arrays[0], squareSums: arrays[1])
  }
}
