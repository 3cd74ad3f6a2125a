internal import FlapCore
internal import FoundationEssentials

/// A model's shape as JSON in the metadata of result files.
enum ShapeText {
  fileprivate struct Stored: Codable {
    struct Layer: Codable {
      let heads: Int
      let keyValueHeads: Int
      let intermediate: Int
      /// nil: attention sees all tokens before.
      let window: Int?
      /// nil: by the global embedding.
      let rotation: String?
      /// nil: one MLP.
      let experts: Experts?
    }
    struct Experts: Codable {
      let count: Int
      let perToken: Int
      let normalizes: Bool
      let names: String
      /// nil: none.
      let replaced: [Int]?
    }
    struct Rotary: Codable {
      let theta: Double
      let scaling: [Double]
      let scalingType: String?
      let turned: Int?
    }
    let hidden: Int
    let headDimension: Int
    let vocabulary: Int
    let epsilon: Double
    let theta: Double
    /// Empty, [factor], or [factor, low, high, original context]; of another `scalingType` what
    /// `ScalingText` says.
    let scaling: [Double]
    /// nil: by their number.
    let scalingType: String?
    let ties: Bool
    /// query-key-value, attention output, gate-up, mlp down.
    let biases: [Bool]
    /// nil: false.
    let queryKeyNorms: Bool?
    /// query-key-value, gate-up; nil: no maps are fused.
    let fused: [Bool]?
    /// Channels of a head that are turned; nil: all.
    let turned: Int?
    /// nil: there is none.
    let local: Rotary?
    /// nil: LLaMA's.
    let arithmetic: ArithmeticText?
    let layers: [Layer]
  }

  static func encode(_ shape: ModelShape) -> String {
    let scaling = ScalingText(shape.rotaryEmbedding.scaling)
    let biases = shape.biases
    let stored = Stored(
      hidden: shape.hiddenSize, headDimension: shape.headDimension,
      vocabulary: shape.vocabularySize, epsilon: shape.rmsNormEpsilon,
      theta: shape.rotaryEmbedding.theta, scaling: scaling.numbers, scalingType: scaling.type,
      ties: shape.tiesEmbeddings,
      biases: [biases.queryKeyValue, biases.attentionOutput, biases.gateUp, biases.mlpDown],
      queryKeyNorms: shape.normalizesQueriesAndKeys ? true : nil,
      fused: shape.fusedMaps == FusedMaps()
        ? nil : [shape.fusedMaps.queryKeyValue, shape.fusedMaps.gateUp],
      turned: shape.rotaryEmbedding.rotatedDimension,
      local: shape.localRotaryEmbedding.map {
        let scaling = ScalingText($0.scaling)
        return .init(
          theta: $0.theta, scaling: scaling.numbers, scalingType: scaling.type,
          turned: $0.rotatedDimension)
      },
      arithmetic: shape.arithmetic == Arithmetic() ? nil : ArithmeticText(shape.arithmetic),
      layers: shape.layers.map {
        .init(
          heads: $0.headCount, keyValueHeads: $0.keyValueHeadCount,
          intermediate: $0.intermediateSize, window: $0.attentionWindow,
          rotation: $0.rotation == .global ? nil : $0.rotation.rawValue,
          experts: $0.experts.map {
            .init(
              count: $0.count, perToken: $0.countPerToken, normalizes: $0.normalizesGates,
              names: $0.names.rawValue, replaced: $0.replaced.isEmpty ? nil : $0.replaced)
          })
      })
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    guard let data = try? encoder.encode(stored) else {
      preconditionFailure("numbers of a shape are finite")
    }
    return String(decoding: data, as: UTF8.self)
  }

  /// - Returns: nil where the text is no possible shape.
  static func decode(_ text: String) -> ModelShape? {
    guard let stored = try? JSONDecoder().decode(Stored.self, from: Data(text.utf8)),
      stored.biases.count == 4, stored.fused?.count ?? 2 == 2,
      (1...Limits.layerCount).contains(stored.layers.count)
    else { return nil }
    let sizes =
      [stored.hidden, stored.headDimension, stored.vocabulary]
      + stored.layers.flatMap { [$0.heads, $0.keyValueHeads, $0.intermediate, $0.window ?? 1] }
    guard sizes.allSatisfy({ (1...Limits.dimension).contains($0) }),
      stored.layers.allSatisfy({ $0.heads % $0.keyValueHeads == 0 }),
      stored.layers.allSatisfy({ $0.experts == nil || $0.expertsShape != nil }),
      stored.layers.reduce(0, { $0 + ($1.expertsShape?.count ?? 0) }) <= Limits.expertCount,
      let scaling = ScalingText(type: stored.scalingType, numbers: stored.scaling).scaling,
      let arithmetic = stored.arithmetic.map(\.arithmetic) ?? Arithmetic()
    else { return nil }
    var local: RotaryEmbedding?
    if let text = stored.local {
      guard let scaling = ScalingText(type: text.scalingType, numbers: text.scaling).scaling else {
        return nil
      }
      local = RotaryEmbedding(theta: text.theta, scaling: scaling, rotatedDimension: text.turned)
    }
    let rotations = stored.layers.map {
      $0.rotation.map { LayerShape.Rotation(rawValue: $0) } ?? .global
    }
    guard rotations.allSatisfy({ $0 != nil && ($0 != .local || local != nil) }),
      [stored.turned, local?.rotatedDimension].allSatisfy({
        (2...stored.headDimension).contains($0 ?? stored.headDimension) || $0 == nil
      })
    else { return nil }
    return ModelShape(
      hiddenSize: stored.hidden, headDimension: stored.headDimension,
      vocabularySize: stored.vocabulary, rmsNormEpsilon: stored.epsilon,
      rotaryEmbedding: RotaryEmbedding(
        theta: stored.theta, scaling: scaling, rotatedDimension: stored.turned),
      localRotaryEmbedding: local,
      tiesEmbeddings: stored.ties,
      biases: Biases(
        queryKeyValue: stored.biases[0], attentionOutput: stored.biases[1],
        gateUp: stored.biases[2], mlpDown: stored.biases[3]),
      normalizesQueriesAndKeys: stored.queryKeyNorms ?? false,
      fusedMaps: FusedMaps(
        queryKeyValue: stored.fused?[0] ?? false, gateUp: stored.fused?[1] ?? false),
      arithmetic: arithmetic,
      layers: zip(stored.layers, rotations).map { layer, rotation in
        LayerShape(
          headCount: layer.heads, keyValueHeadCount: layer.keyValueHeads,
          intermediateSize: layer.intermediate, attentionWindow: layer.window,
          rotation: rotation ?? .global, experts: layer.expertsShape)
      })
  }
}

extension ShapeText.Stored.Layer {
  /// nil where there are none, or no possible ones.
  fileprivate var expertsShape: ExpertsShape? {
    guard let experts, let names = ExpertsShape.Names(rawValue: experts.names),
      (1...Limits.expertCount).contains(experts.count),
      (1...experts.count).contains(experts.perToken)
    else { return nil }
    let replaced = experts.replaced ?? []
    guard replaced.count < experts.count, replaced.allSatisfy((0..<experts.count).contains),
      zip(replaced, replaced.dropFirst()).allSatisfy(<)
    else { return nil }
    return ExpertsShape(
      count: experts.count, countPerToken: experts.perToken, normalizesGates: experts.normalizes,
      names: names, replaced: replaced)
  }
}
