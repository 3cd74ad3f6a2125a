internal import FlapCore
internal import Statistics

/// What workers take through the model, as far as they allocate for it and tell of it.
protocol ForwardPass {
  var shape: ModelShape { get }
  var compute: ComputeType { get }
  /// Of the longest sample.
  var tokensPerSample: Int { get }
  /// Samples of this length for which a leaf has room.
  var samplesPerLeaf: Int { get }
  var leavesPerUnit: Int { get }
  /// Whether the products of channels are summed, too, for least squares.
  var sumsProducts: Bool { get }
  /// What is measured of experts only where it is asked for.
  var askedOfExperts: Set<StatisticSource> { get }
  /// Of the largest report but one on statistics.
  var reportByteCount: Int { get }
}

extension ForwardPass {
  var sumsProducts: Bool { false }
  var askedOfExperts: Set<StatisticSource> { [] }
  /// What a calibration measures at the taps.
  var tapKinds: [StatisticKind] {
    StatisticCatalog.standard.kinds(atTapsOf: shape, asked: askedOfExperts)
  }
  var reportByteCount: Int { 0 }
}
