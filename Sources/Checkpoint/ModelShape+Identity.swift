internal import FlapCore

extension ModelShape {
  /// The shape as the digest of a model sees it. Files of statistics and plans are bound to that
  /// digest, so the text of a shape never changes: what a later version adds to a shape is named
  /// only where it is not as in all models before.
  var identity: String {
    let rotary =
      "FlapCore.RotaryEmbedding(theta: \(rotaryEmbedding.theta), scaling: "
      + "FlapCore.RotaryEmbedding.Scaling.\(rotaryEmbedding.scaling.identity))"
    let biases =
      "FlapCore.Biases(queryKeyValue: \(biases.queryKeyValue), attentionOutput: "
      + "\(biases.attentionOutput), gateUp: \(biases.gateUp), mlpDown: \(biases.mlpDown))"
    let layers = layers.map(\.identity).joined(separator: ", ")
    let fused = fusedMaps == FusedMaps() ? "" : "fusedMaps: \(fusedMaps.identity), "
    return "ModelShape(hiddenSize: \(hiddenSize), headDimension: \(headDimension), "
      + "vocabularySize: \(vocabularySize), rmsNormEpsilon: \(rmsNormEpsilon), "
      + "rotaryEmbedding: \(rotary), tiesEmbeddings: \(tiesEmbeddings), biases: \(biases), "
      + "normalizesQueriesAndKeys: \(normalizesQueriesAndKeys), \(fused)layers: [\(layers)])"
  }
}

extension RotaryEmbedding.Scaling {
  fileprivate var identity: String {
    switch self {
    case .none: "none"
    case .linear(let factor): "linear(factor: \(factor))"
    case .llama3(let factor, let low, let high, let context):
      "llama3(factor: \(factor), lowFrequencyFactor: \(low), highFrequencyFactor: \(high), "
        + "originalContextLength: \(context))"
    case .yarn(let yarn):
      "yarn(factor: \(yarn.factor), originalContextLength: \(yarn.originalContextLength), "
        + "fastTurns: \(yarn.fastTurns), slowTurns: \(yarn.slowTurns), truncatesRamp: "
        + "\(yarn.truncatesRamp), attentionFactor: \(yarn.attentionFactor))"
    case .longRope(let long):
      "longRope(shortDivisors: \(long.shortDivisors), longDivisors: \(long.longDivisors), "
        + "originalContextLength: \(long.originalContextLength), attentionFactor: "
        + "\(long.attentionFactor))"
    }
  }
}

extension FusedMaps {
  fileprivate var identity: String { "[\(queryKeyValue), \(gateUp)]" }
}

extension LayerShape {
  fileprivate var identity: String {
    let window = attentionWindow.map { "Optional(\($0))" } ?? "nil"
    return "FlapCore.LayerShape(headCount: \(headCount), keyValueHeadCount: \(keyValueHeadCount), "
      + "intermediateSize: \(intermediateSize), attentionWindow: \(window)"
      + (experts.map { ", experts: \($0.identity)" } ?? "") + ")"
  }
}

extension ExpertsShape {
  fileprivate var identity: String {
    "[\(count), \(countPerToken), \(normalizesGates), \(names.rawValue)"
      + (replaced.isEmpty ? "" : ", replaced: \(replaced)") + "]"
  }
}
