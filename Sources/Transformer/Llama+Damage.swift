internal import Checkpoint
internal import FlapCore

extension Llama {
  /// The first of the tensors behind the last tap that holds a number that is infinite or none; nil
  /// where all are finite. What lies before a tap shows there.
  public var nonFiniteTensorBehindTaps: String? {
    get throws {
      let last = shape.layers.count - 1
      let tensors = shape.tensors.filter { tensor in
        switch tensor.place {
        case .finalNorm, .outputProjection: true
        case .embedding: shape.tiesEmbeddings
        case .layer(last, .weights(let maps)), .layer(last, .biases(let maps)):
          maps.contains { $0.role == .down }
        case .layer(last, .norm(.mlpOutput)): true
        case .layer: false
        }
      }
      return try tensors.first { tensor in
        let view = try checkpoint.tensor(tensor.name, shape: tensor.shape)
        // Row by row: an output projection in f32 is large.
        return (0..<tensor.shape[0]).contains { row in
          view.rows(row..<row + 1).float32Values().contains { !$0.isFinite }
        }
      }?.name
    }
  }
}
