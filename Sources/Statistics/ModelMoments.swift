public import FlapCore

/// The moments at both taps of one decoder layer.
public struct LayerMoments: Hashable, Sendable {
  /// Input of `self_attn.o_proj`: [query heads · head dimension] channels.
  public var attentionOutput: ChannelMoments
  /// Input of `mlp.down_proj`: [intermediate] channels.
  public var mlpDown: ChannelMoments

  public init(attentionOutput: ChannelMoments, mlpDown: ChannelMoments) {
    self.attentionOutput = attentionOutput
    self.mlpDown = mlpDown
  }

  public subscript(tap: Tap) -> ChannelMoments {
    get {
      switch tap {
      case .attentionOutput: attentionOutput
      case .mlpDown: mlpDown
      }
    }
    _modify {
      switch tap {
      case .attentionOutput: yield &attentionOutput
      case .mlpDown: yield &mlpDown
      }
    }
  }
}

extension LayerMoments: Mergeable {
  public mutating func merge(_ right: LayerMoments) {
    attentionOutput.merge(right.attentionOutput)
    mlpDown.merge(right.mlpDown)
  }
}

/// The moments at every tap of a model over some calibration samples.
public struct ModelMoments: Hashable, Sendable {
  /// Calibration samples (independent sequences) seen.
  public var sampleCount: Int
  /// One entry per decoder layer.
  public var layers: [LayerMoments]

  public init(sampleCount: Int, layers: [LayerMoments]) {
    self.sampleCount = sampleCount
    self.layers = layers
  }

  /// No samples yet.
  public init(emptyFor shape: ModelShape) {
    sampleCount = 0
    layers = shape.layers.indices.map { layer in
      LayerMoments(
        attentionOutput: ChannelMoments(
          channelCount: shape.channelCount(layer: layer, tap: .attentionOutput)),
        mlpDown: ChannelMoments(channelCount: shape.channelCount(layer: layer, tap: .mlpDown)))
    }
  }

  /// Tokens seen; the same at every tap.
  public var tokenCount: Int { layers.first?.mlpDown.count ?? 0 }
}

extension ModelMoments: Mergeable {
  /// - Precondition: both are of the same model (see ``validate(for:)`` for what came from a peer).
  public mutating func merge(_ right: ModelMoments) {
    precondition(layers.count == right.layers.count, "Moments of different models do not merge.")
    sampleCount += right.sampleCount
    for layer in layers.indices {
      layers[layer].merge(right.layers[layer])
    }
  }
}
