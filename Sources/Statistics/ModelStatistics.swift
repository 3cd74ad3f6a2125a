public import FlapCore

/// The statistics at the taps of a whole model: what a search and a statistics file are made of.
public struct ModelStatistics: Sendable {
  /// Calibration samples (independent sequences) behind those of samples; 0 where there are none.
  public var sampleCount: Int
  private var layers: [StatisticKind: [PerTap<any Statistic>]] = [:]

  public init(sampleCount: Int) { self.sampleCount = sampleCount }

  /// One entry per decoder layer; nil where this kind was not measured.
  public subscript<Value: Statistic>(_: Value.Type) -> [PerTap<Value>]? {
    get {
      layers[Value.kind]?.map { layer in
        layer.map { value in
          guard let value = value as? Value else {
            preconditionFailure("two kinds of statistics have the name \(Value.kind)")
          }
          return value
        }
      }
    }
    set { layers[Value.kind] = newValue?.map { layer in layer.map { $0 } } }
  }

  /// Of any kind.
  public subscript(kind: StatisticKind) -> [PerTap<any Statistic>]? { layers[kind] }

  public var moments: ModelMoments? {
    self[ChannelMoments.self].map { ModelMoments(sampleCount: sampleCount, layers: $0) }
  }
}

extension ModelStatistics {
  /// One entry per decoder layer; none where they were not measured.
  public var norms: [PerTap<WeightNorms>] { self[WeightNorms.self] ?? [] }
}

/// The moments at every tap of a model over some calibration samples.
public struct ModelMoments: Hashable, Sendable {
  /// Calibration samples (independent sequences) seen.
  public var sampleCount: Int
  /// One entry per decoder layer.
  public var layers: [PerTap<ChannelMoments>]

  public init(sampleCount: Int, layers: [PerTap<ChannelMoments>]) {
    self.sampleCount = sampleCount
    self.layers = layers
  }

  /// Tokens seen by the first layer's MLP, and by every map that all tokens go through.
  public var tokenCount: Int { layers.first?.mlpDown.count ?? 0 }
}
