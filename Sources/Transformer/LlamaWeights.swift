internal import Checkpoint
internal import FlapCore
internal import Kernels

/// A linear map of the checkpoint: y = x · Wᵀ + b.
struct Linear {
  /// [rows, columns], where it lies in the mapped file.
  var weight: WeightMatrix
  /// f32 [rows], or nil.
  var bias: [Float]?
  /// Keeps the mapping alive.
  private let view: TensorView

  /// - Parameter view: [rows, columns].
  init(_ view: TensorView, bias: [Float]?) {
    self.view = view
    self.bias = bias
    weight = WeightMatrix(
      elementType: view.elementType, bytes: view.bytes.baseAddress!, rows: view.shape[0],
      columns: view.shape[1])
  }

  /// The bias, f32 [rows], or nil.
  func withBias<Result>(_ body: (UnsafePointer<Float>?) -> Result) -> Result {
    guard let bias else { return body(nil) }
    return bias.withUnsafeBufferPointer { body($0.baseAddress) }
  }

  /// Asks the system to read the weight ahead of its use.
  func willNeed() { view.willNeed() }
}

/// The weights of one decoder layer.
struct LayerWeights {
  var shape: LayerShape
  let attentionNorm: [Float]  // input_layernorm.weight [hidden]
  let mlpNorm: [Float]  // post_attention_layernorm.weight [hidden]
  let queryNorm: HeadNorm?  // self_attn.q_norm.weight [head dimension]
  let keyNorm: HeadNorm?  // self_attn.k_norm.weight [head dimension]
  /// The rows of the layer's table.
  let table: LayerMaps<LinearMap>
  var maps: LayerMaps<Linear>
  /// What is left of experts that are replaced, by their numbers, f32 [hidden] each.
  var means: [Int: [Float]]

  init(_ checkpoint: Checkpoint, layer index: Int, of model: ModelShape) throws {
    shape = model.layers[index]
    var norms: [LayerTable.Norm: [Float]] = [:]
    var linears: [LinearMap: Linear] = [:]
    var biases: [LinearMap: [Float]] = [:]
    var means: [Int: [Float]] = [:]
    let table = model.table(layer: index)
    // Biases stand behind their weights.
    for tensor in table.tensors.reversed() {
      let view = try checkpoint.tensor(
        ModelShape.name(ofLayer: index, tensor.name), shape: tensor.shape)
      switch tensor.content {
      case .norm(let norm): norms[norm] = view.float32Values()
      case .mean(let expert): means[expert] = view.float32Values()
      case .biases(let maps):
        for map in maps { biases[map] = view.rows(map.rowRange).float32Values() }
      case .weights(let maps):
        for map in maps {
          linears[map] = Linear(view.rows(map.rowRange), bias: biases[map])
        }
      }
    }
    guard let attentionNorm = norms[.attentionInput], let mlpNorm = norms[.mlpInput] else {
      preconditionFailure("this forward pass norms the stream before both halves of a layer")
    }
    self.attentionNorm = attentionNorm
    self.mlpNorm = mlpNorm
    let epsilon = Float(model.rmsNormEpsilon)
    queryNorm = norms[.queries].map { HeadNorm(weight: $0, epsilon: epsilon) }
    keyNorm = norms[.keys].map { HeadNorm(weight: $0, epsilon: epsilon) }
    self.means = means
    self.table = LayerMaps(table)
    maps = self.table.map { map in
      guard let linear = linears[map] else {
        preconditionFailure("every map of a table has its weights there")
      }
      return linear
    }
  }
}
