public import FlapCore

/// Parts of the parameters that a plan removes, between 0 and 1.
public struct ReachedRatio: Hashable, Sendable {
  /// Of the weights of the decoder layers' linear maps; what was asked for. Means that take the places of
  /// experts are not gone.
  public var decoderLayers: Double
  /// Of all parameters, embeddings, norms and the biases added included; below 0 if a plan that
  /// keeps everything adds biases.
  public var wholeModel: Double

  /// - Parameter compensating: whether the pruned model gets biases on `o_proj` and `down_proj`.
  /// - Precondition: the plan fits the shape (see `PruningPlan.validate(for:)`).
  public init(of plan: PruningPlan, for shape: ModelShape, compensating: Bool) {
    let pruned = plan.prunedShape(of: shape, compensating: compensating)
    decoderLayers =
      1 - Double(pruned.decoderParameterCount) / Double(shape.decoderParameterCount)
    wholeModel = 1 - Double(pruned.parameterCount) / Double(shape.parameterCount)
  }
}

/// What a structure search found.
public struct SearchResult: Hashable, Sendable {
  public var plan: PruningPlan
  /// AL-AM: the standardized score of the best unit that goes; nil for other structures, for mixtures,
  /// of which slices go, and where everything stays.
  public var threshold: Double?
  /// Groups and neurons that stay only because a layer never loses its last one.
  public var unitsKeptByMinimum: Int
  public var reached: ReachedRatio
  /// Of measured counts: the sum of the modules' losses, in nats per token; nil for others.
  public var predictedLoss: Double?

  /// Experts that no token of the calibration went through, of all layers; they score 0.
  public var idleExpertCount = 0

  /// Kept groups of heads, per layer.
  public var keptGroups: [Int] { plan.layers.map(\.keptGroupCount) }
  /// Kept MLP neurons, per layer.
  public var keptNeurons: [Int] { plan.layers.map(\.keptNeuronCount) }
}
