/// A tensor of a checkpoint by its Hugging Face name, and its place in the model.
public struct ModelTensor: Hashable, Sendable {
  public enum Place: Hashable, Sendable {
    case embedding
    case layer(Int, LayerTable.Tensor.Content)
    case finalNorm
    /// Absent where it is the embedding.
    case outputProjection
  }

  public let name: String
  /// Row-major.
  public let shape: [Int]
  public let place: Place
}

extension ModelShape {
  /// Every tensor that a checkpoint of this shape has, from the embedding to the output projection.
  public var tensors: [ModelTensor] {
    [embedding]
      + layers.indices.flatMap { layer in
        table(layer: layer).tensors.map { tensor in
          ModelTensor(
            name: ModelShape.name(ofLayer: layer, tensor.name), shape: tensor.shape,
            place: .layer(layer, tensor.content))
        }
      }
      + [ModelTensor(name: "model.norm.weight", shape: [hiddenSize], place: .finalNorm)]
      + (tiesEmbeddings ? [] : [outputProjection])
  }

  /// [vocabulary, hidden].
  public var embedding: ModelTensor {
    ModelTensor(
      name: "model.embed_tokens.weight", shape: [vocabularySize, hiddenSize], place: .embedding)
  }

  /// [vocabulary, hidden]: the embedding where the model ties them.
  public var outputProjection: ModelTensor {
    guard !tiesEmbeddings else { return embedding }
    return ModelTensor(
      name: "lm_head.weight", shape: [vocabularySize, hiddenSize], place: .outputProjection)
  }

  /// The full name of something in a decoder layer.
  public static func name(ofLayer layer: Int, _ name: String) -> String {
    "model.layers.\(layer).\(name)"
  }
}
