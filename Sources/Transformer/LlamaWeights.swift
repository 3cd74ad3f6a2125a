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
  // [hidden]; nil where the family has no such norm.
  let attentionNorm: [Float]?
  let mlpNorm: [Float]?
  let attentionOutputNorm: [Float]?
  let mlpOutputNorm: [Float]?
  var queryNorm: HeadNorm?  // self_attn.q_norm.weight [head dimension], or [all heads' channels]
  var keyNorm: HeadNorm?  // self_attn.k_norm.weight, likewise
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
      case .norm(let norm): norms[norm] = model.normWeight(view)
      case .mean(let expert): means[expert] = view.float32Values()
      case .biases(let maps):
        for map in maps { biases[map] = view.rows(map.rowRange).float32Values() }
      case .weights(let maps):
        for map in maps {
          linears[map] = Linear(view.rows(map.rowRange), bias: biases[map])
        }
      }
    }
    attentionNorm = norms[.attentionInput]
    mlpNorm = norms[.mlpInput]
    attentionOutputNorm = norms[.attentionOutput]
    mlpOutputNorm = norms[.mlpOutput]
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

extension LayerWeights {
  /// Leaves norms over all heads with the channels that stay.
  mutating func keepNorms(of plan: PruningPlan, layer: Int, of model: ModelShape) {
    func keep(_ norm: HeadNorm?, _ kind: LayerTable.Norm) -> HeadNorm? {
      guard let norm, let kept = plan.kept(kind.axis(of: model), layer: layer, of: model) else {
        return norm
      }
      let weight = norm.weight.indices.filter { kept[$0] }.map { norm.weight[$0] }
      return HeadNorm(weight: weight, epsilon: norm.epsilon)
    }
    queryNorm = keep(queryNorm, .queries)
    keyNorm = keep(keyNorm, .keys)
  }
}

extension ModelShape {
  /// What a norm multiplies by.
  func normWeight(_ view: TensorView) -> [Float] {
    let weight = view.float32Values()
    return arithmetic.addsOneToNorms ? weight.map { 1 + $0 } : weight
  }
}
