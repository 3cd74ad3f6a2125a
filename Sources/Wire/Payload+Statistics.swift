public import FlapCore
public import Statistics

extension Payload {
  /// Bytes of the largest report about a model: the moments of all its channels.
  public static func largestReportBytes(shape: ModelShape) -> Int {
    shape.layers.indices.reduce(16) { sum, layer in
      sum + Tap.allCases.reduce(0) { $0 + 16 * shape.channelCount(layer: layer, tap: $1) }
    }
  }

  /// `sampleCount`, `tokenCount`, then for each layer and tap the means and the M2.
  public static func encode(_ moments: ModelMoments) -> [UInt8] {
    let channelCount = moments.layers.reduce(0) {
      $0 + $1.attentionOutput.channelCount + $1.mlpDown.channelCount
    }
    var writer = PayloadWriter(byteCount: 16 + 16 * channelCount)
    writer.append(count: moments.sampleCount)
    writer.append(count: moments.tokenCount)
    for layer in moments.layers {
      for tap in Tap.allCases {
        writer.append(layer[tap].mean)
        writer.append(layer[tap].m2)
      }
    }
    return writer.bytes
  }

  /// - Throws: if the bytes are not as many as the shape asks for, or hold impossible moments
  ///   (``ModelMoments/validate(for:)``).
  public static func decodeMoments(
    _ bytes: [UInt8], shape: ModelShape
  ) throws(WireError) -> ModelMoments {
    var reader = PayloadReader(bytes, name: "report of moments")
    let sampleCount = try reader.count("count of samples")
    let tokenCount = try reader.count("count of tokens")
    func moments(_ layer: Int, _ tap: Tap) throws(WireError) -> ChannelMoments {
      let channelCount = shape.channelCount(layer: layer, tap: tap)
      return ChannelMoments(
        count: tokenCount, mean: try reader.values(channelCount),
        m2: try reader.values(channelCount))
    }
    var layers: [LayerMoments] = []
    for layer in shape.layers.indices {
      layers.append(
        LayerMoments(
          attentionOutput: try moments(layer, .attentionOutput),
          mlpDown: try moments(layer, .mlpDown)))
    }
    try reader.end()
    let decoded = ModelMoments(sampleCount: sampleCount, layers: layers)
    do throws(StatisticsError) { try decoded.validate(for: shape) } catch {
      throw .impossibleStatistics(error)
    }
    return decoded
  }

  /// Merges two encoded reports tap by tap, so that no more than one tap is decoded at a time;
  /// the same bits as decoding, merging and encoding.
  ///
  /// - Precondition: ``holdsMoments(_:shape:)`` of both; lengths and counts are checked again,
  ///   values are not.
  public static func mergeMoments(
    _ left: [UInt8], _ right: [UInt8], shape: ModelShape
  ) throws(WireError) -> [UInt8] {
    var left = PayloadReader(left, name: "report of moments")
    var right = PayloadReader(right, name: "report of moments")
    var writer = PayloadWriter(byteCount: largestReportBytes(shape: shape))
    let sampleCount = try left.count("count of samples") + right.count("count of samples")
    let leftTokens = try left.count("count of tokens")
    let rightTokens = try right.count("count of tokens")
    writer.append(count: sampleCount)
    writer.append(count: leftTokens + rightTokens)
    for layer in shape.layers.indices {
      for tap in Tap.allCases {
        let channelCount = shape.channelCount(layer: layer, tap: tap)
        var merged = ChannelMoments(
          count: leftTokens, mean: try left.values(channelCount),
          m2: try left.values(channelCount))
        merged.merge(
          ChannelMoments(
            count: rightTokens, mean: try right.values(channelCount),
            m2: try right.values(channelCount)))
        writer.append(merged.mean)
        writer.append(merged.m2)
      }
    }
    try left.end()
    try right.end()
    return writer.bytes
  }

  /// Whether ``decodeMoments(_:shape:)`` would not throw; faster, and takes no memory.
  public static func holdsMoments(_ bytes: [UInt8], shape: ModelShape) -> Bool {
    guard bytes.count == largestReportBytes(shape: shape) else { return false }
    var reader = PayloadReader(bytes, name: "report of moments")
    guard let sampleCount = try? reader.count("count of samples"),
      let tokenCount = try? reader.count("count of tokens"), sampleCount <= tokenCount
    else { return false }
    return bytes.withUnsafeBytes { bytes in
      var offset = 16
      return shape.layers.indices.allSatisfy { layer in
        Tap.allCases.allSatisfy { tap in
          let byteCount = 16 * shape.channelCount(layer: layer, tap: tap)
          defer { offset += byteCount }
          return arePossible(
            means: UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + byteCount / 2]),
            m2s: UnsafeRawBufferPointer(
              rebasing: bytes[offset + byteCount / 2..<offset + byteCount]))
        }
      }
    }
  }

  /// Whether all are finite and no M2 is negative. Without a way out, so that it vectorizes.
  private static func arePossible(
    means: UnsafeRawBufferPointer, m2s: UnsafeRawBufferPointer
  ) -> Bool {
    var impossible: UInt64 = 0
    for offset in stride(from: 0, to: means.count, by: MemoryLayout<Double>.size) {
      let mean = means.loadUnaligned(fromByteOffset: offset, as: Double.self)
      let m2 = m2s.loadUnaligned(fromByteOffset: offset, as: Double.self)
      impossible |= mean.magnitude < .infinity ? 0 : 1
      impossible |= m2 >= 0 ? 0 : 1
      impossible |= m2 < .infinity ? 0 : 1
    }
    return impossible == 0
  }

  /// The sum, then the count of tokens.
  public static func encode(_ loss: LossSum) -> [UInt8] {
    var writer = PayloadWriter(byteCount: 16)
    writer.append([loss.negativeLogLikelihood])
    writer.append(count: loss.tokenCount)
    return writer.bytes
  }

  /// - Throws: if the bytes are not 16, or hold no finite sum.
  public static func decodeLoss(_ bytes: [UInt8]) throws(WireError) -> LossSum {
    var reader = PayloadReader(bytes, name: "report of a loss")
    let sum = try reader.values(1)[0]
    let tokenCount = try reader.count("count of tokens")
    try reader.end()
    guard sum.isFinite else {
      throw .invalid(field: "sum of losses", reason: "\(sum)")
    }
    return LossSum(negativeLogLikelihood: sum, tokenCount: tokenCount)
  }

  /// For each tap the sums of squares and the absolute means.
  public static func encode(_ norms: LayerWeightNorms) -> [UInt8] {
    let channelCount = norms.attentionOutput.channelCount + norms.mlpDown.channelCount
    var writer = PayloadWriter(byteCount: 16 * channelCount)
    for tap in Tap.allCases {
      writer.append(norms[tap].squareSum)
      writer.append(norms[tap].absoluteMean)
    }
    return writer.bytes
  }

  /// - Throws: if the bytes are not as many as the layer's shape asks for, or hold a norm that is
  ///   negative or not finite.
  /// - Precondition: the shape has the layer.
  public static func decodeWeightNorms(
    _ bytes: [UInt8], layer: Int, shape: ModelShape
  ) throws(WireError) -> LayerWeightNorms {
    var reader = PayloadReader(bytes, name: "report of weight norms")
    func norms(_ tap: Tap) throws(WireError) -> WeightNorms {
      let channelCount = shape.channelCount(layer: layer, tap: tap)
      return WeightNorms(
        squareSum: try magnitudes(&reader, channelCount),
        absoluteMean: try magnitudes(&reader, channelCount))
    }
    let decoded = LayerWeightNorms(
      attentionOutput: try norms(.attentionOutput), mlpDown: try norms(.mlpDown))
    try reader.end()
    return decoded
  }

  private static func magnitudes(
    _ reader: inout PayloadReader, _ count: Int
  ) throws(WireError) -> [Double] {
    let values = try reader.values(count)
    guard let wrong = values.first(where: { !($0 >= 0 && $0.isFinite) }) else { return values }
    throw .invalid(field: "weight norm", reason: "\(wrong)")
  }
}
