/// What the scores need of the weight W [out, in] of one linear map, per input channel.
public struct WeightNorms: Hashable, Sendable {
  /// ‖W_:,j‖² = Σ_i W_ij².
  public var squareSum: [Double]
  /// Σ_i |W_ij| / out.
  public var absoluteMean: [Double]

  /// - Precondition: one entry per input channel each.
  public init(squareSum: [Double], absoluteMean: [Double]) {
    precondition(squareSum.count == absoluteMean.count, "One of each per input channel.")
    self.squareSum = squareSum
    self.absoluteMean = absoluteMean
  }

  public var channelCount: Int { squareSum.count }
}

extension WeightNorms: Statistic {
  public static let kind = StatisticKind("weight-norms")
  public static let source = StatisticSource.weights

  /// The sums of squares, then the absolute means.
  public static func byteCount(channelCount: Int) -> Int { 16 * channelCount }

  public var bytes: [UInt8] {
    var writer = ByteWriter(byteCount: WeightNorms.byteCount(channelCount: channelCount))
    writer.append(squareSum)
    writer.append(absoluteMean)
    return writer.bytes
  }

  public init(bytes: [UInt8], channelCount: Int) {
    var reader = ByteReader(bytes)
    guard let squareSum = reader.values(channelCount),
      let absoluteMean = reader.values(channelCount)
    else { preconditionFailure("norms of \(channelCount) channels in \(bytes.count) bytes") }
    self.init(squareSum: squareSum, absoluteMean: absoluteMean)
  }

  public func validate() throws(StatisticDefect) {
    for norms in [squareSum, absoluteMean] {
      for (channel, norm) in norms.enumerated() where !(norm >= 0 && norm < .infinity) {
        throw norm < 0 ? .negative(channel: channel) : .notFinite(channel: channel)
      }
    }
  }

  public static let arrayNames = ["weight_sumsq", "weight_abs_mean"]
  public var arrays: [[Double]] { [squareSum, absoluteMean] }
  public init(arrays: [[Double]], tokenCount: Int) {
    self.init(squareSum: arrays[0], absoluteMean: arrays[1])
  }
}

/// Sums the norms of a linear map row by row, so that the weight can be streamed.
public struct WeightNormsAccumulator: Sendable {
  private var rowCount = 0
  private var squareSum: [Double]
  private var absoluteSum: [Double]

  /// - Parameter channelCount: input channels, the length of a row.
  public init(channelCount: Int) {
    squareSum = Array(repeating: 0, count: channelCount)
    absoluteSum = Array(repeating: 0, count: channelCount)
  }

  /// Adds one row of W, in f64; rows are to come in order, since sums of f64 depend on it.
  ///
  /// - Precondition: one weight per input channel.
  public mutating func add(row: UnsafeBufferPointer<Float>) {
    precondition(row.count == squareSum.count, "One weight per input channel.")
    WeightNormsAccumulator.add(row, &squareSum, &absoluteSum)
    rowCount += 1
  }

  /// The norms of the rows so far; the absolute means are NaN before the first.
  public var norms: WeightNorms {
    let rows = Double(rowCount)
    return WeightNorms(squareSum: squareSum, absoluteMean: absoluteSum.map { $0 / rows })
  }

  private static func add(
    _ row: UnsafeBufferPointer<Float>, _ squareSum: UnsafeMutablePointer<Double>,
    _ absoluteSum: UnsafeMutablePointer<Double>
  ) {
    for channel in 0..<row.count {
      let weight = Double(row[channel])
      squareSum[channel] += weight * weight
      absoluteSum[channel] += weight.magnitude
    }
  }
}
