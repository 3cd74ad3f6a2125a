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
    let turned = rotaryEmbedding.rotatedDimension.map { ", rotatedDimension: \($0)" } ?? ""
    let local =
      localRotaryEmbedding.map {
        "localRotaryEmbedding: [\($0.theta), \($0.scaling.identity), "
          + "\($0.rotatedDimension ?? 0)], "
      } ?? ""
    let arithmetic =
      arithmetic == Arithmetic() ? "" : "arithmetic: \(arithmetic.identity), "
    return "ModelShape(hiddenSize: \(hiddenSize), headDimension: \(headDimension), "
      + "vocabularySize: \(vocabularySize), rmsNormEpsilon: \(rmsNormEpsilon), "
      + "rotaryEmbedding: \(rotary)\(turned), \(local)tiesEmbeddings: \(tiesEmbeddings), biases: \(biases), "
      + "normalizesQueriesAndKeys: \(normalizesQueriesAndKeys), \(fused)\(arithmetic)layers: [\(layers)])"
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

extension Arithmetic {
  fileprivate var identity: String {
    let scale = attentionScale.map { "\($0)" } ?? "nil"
    let cap = logitCap.map { "\($0)" } ?? "nil"
    return "[\(activation.rawValue), \(normPlacement.rawValue), \(addsOneToNorms), "
      + "\(normalizesHeadsTogether), \(embeddingScale), \(roundsEmbeddingScale), \(scale), "
      + "\(residualScale), \(logitDivisor), \(cap)]"
  }
}

extension ExpertsShape {
  fileprivate var identity: String {
    "[\(count), \(countPerToken), \(normalizesGates), \(names.rawValue)"
      + (replaced.isEmpty ? "" : ", replaced: \(replaced)") + "]"
  }
}

extension LayerShape {
  fileprivate var identity: String {
    let turned = rotation == .global ? "" : ", rotation: \(rotation.rawValue)"
    let chosen = experts.map { ", experts: \($0.identity)" } ?? ""
    let window = attentionWindow.map { "Optional(\($0))" } ?? "nil"
    return "FlapCore.LayerShape(headCount: \(headCount), keyValueHeadCount: \(keyValueHeadCount), "
      + "intermediateSize: \(intermediateSize), attentionWindow: \(window)\(turned)\(chosen))"
  }
}
