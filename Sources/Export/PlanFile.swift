internal import Checkpoint
public import FlapCore
public import Pruning
internal import Storage
public import SystemPackage

/// `plan.safetensors`: what is kept.
///
/// Per layer L, U8: `model.layers.L.self_attn.kept_groups` [kv groups],
/// `model.layers.L.mlp.kept_neurons` [intermediate], with experts of each after another, and then
/// `model.layers.L.mlp.kept_experts` [experts]. Metadata: format "flap-plan", version, metric,
/// structure, ratio_asked, ratio_reached, model_digest, model_full_digest, data_digest, shape (of the dense
/// model), uniform ("true" where the checkpoint is to be one of a class of transformers itself); where
/// something was spared, excluded_layers ("0,1,30-31"), attention_ratio or mlp_ratio; where mean outputs
/// take the places of experts, replaces_experts ("true").
public struct PlanFile: Sendable {
  public var plan: PruningPlan
  public var metric: String
  public var structure: String
  /// Of the decoder layers' parameters.
  public var ratioAsked: Double
  public var ratioReached: Double
  public var shape: ModelShape
  public var modelDigest: Digest
  /// nil for a metric that needs no data.
  public var dataDigest: Digest?
  /// Every layer keeps the same counts, for a class of transformers itself (``TransformersClass``).
  public var isUniform: Bool
  /// Of every bit of the model (`Checkpoint.fullDigest`); nil in files of earlier versions.
  public var fullDigest: Digest?
  /// What the search was told to spare.
  public var sparing: Sparing

  public init(
    plan: PruningPlan, metric: String, structure: String, ratioAsked: Double, ratioReached: Double,
    shape: ModelShape, modelDigest: Digest, dataDigest: Digest?, isUniform: Bool = false,
    fullDigest: Digest? = nil, sparing: Sparing = Sparing()
  ) {
    self.sparing = sparing
    self.fullDigest = fullDigest
    self.plan = plan
    self.metric = metric
    self.structure = structure
    self.ratioAsked = ratioAsked
    self.ratioReached = ratioReached
    self.shape = shape
    self.modelDigest = modelDigest
    self.dataDigest = dataDigest
    self.isUniform = isUniform
  }

  /// Whether biases can make up for what goes.
  public var takesCompensation: Bool { structure != Structure.experts.rawValue }

  static let format = "flap-plan"

  /// - Throws: ``ResultFileError``, ``CheckpointError``, ``StorageError``.
  public init(path: FilePath) throws {
    let file = try ResultFile(path: path, format: PlanFile.format)
    shape = try file.shape()
    metric = try file.text("metric")
    structure = try file.text("structure")
    ratioAsked = try file.number("ratio_asked")
    ratioReached = try file.number("ratio_reached")
    modelDigest = try file.digest("model_digest")
    dataDigest = file.has("data_digest") ? try file.digest("data_digest") : nil
    fullDigest = file.has("model_full_digest") ? try file.digest("model_full_digest") : nil
    isUniform = file.has("uniform") ? try file.flag("uniform") : false
    sparing = try PlanFile.sparing(file)
    let replaces = file.has("replaces_experts") ? try file.flag("replaces_experts") : false
    var layers: [PruningPlan.Layer] = []
    for (index, layer) in shape.layers.enumerated() {
      let groups = try file.flags(
        PlanFile.groupsName(index), count: layer.keyValueHeadCount)
      let neurons = try file.flags(
        PlanFile.neuronsName(index), count: layer.neuronCount)
      let experts = try layer.experts.map {
        try file.flags(PlanFile.expertsName(index), count: $0.count)
      }
      layers.append(
        PruningPlan.Layer(
          keptGroups: groups, keptNeurons: neurons, keptExperts: experts ?? [],
          replacesExperts: replaces && experts != nil))
    }
    plan = PruningPlan(layers: layers)
    do {
      try plan.validate(for: shape)
    } catch {
      throw file.error("\(error)")
    }
  }

  public func write(to path: FilePath) throws {
    var arrays: [(name: String, flags: [Bool])] = []
    for (index, layer) in plan.layers.enumerated() {
      arrays.append((PlanFile.groupsName(index), layer.keptGroups))
      arrays.append((PlanFile.neuronsName(index), layer.keptNeurons))
      if !layer.keptExperts.isEmpty {
        arrays.append((PlanFile.expertsName(index), layer.keptExperts))
      }
    }
    var writer = try SafetensorsWriter(
      destination: path,
      tensors: arrays.map {
        TensorDeclaration(name: $0.name, elementType: .uint8, shape: [$0.flags.count])
      }, metadata: metadata)
    for array in arrays {
      try array.flags.map { $0 ? UInt8(1) : 0 }.withUnsafeBytes { try writer.append($0) }
    }
    _ = try writer.commit()
  }

  private static func ratioName(_ tap: Tap) -> String {
    tap == .mlpDown ? "mlp_ratio" : "attention_ratio"
  }

  private static func sparing(_ file: ResultFile) throws -> Sparing {
    var sparing = Sparing()
    if file.has("excluded_layers") {
      let text = try file.text("excluded_layers")
      guard let layers = LayerNumbers.layers(in: text) else {
        throw file.error("excluded_layers is no list of layers")
      }
      sparing.layers = layers
    }
    if let tap = Tap.allCases.first(where: { file.has(ratioName($0)) }) {
      sparing.moduleRatio = .init(tap: tap, ratio: try file.number(ratioName(tap)))
    }
    return sparing
  }

  private static func groupsName(_ layer: Int) -> String {
    "model.layers.\(layer).self_attn.kept_groups"
  }

  private static func neuronsName(_ layer: Int) -> String {
    "model.layers.\(layer).mlp.kept_neurons"
  }

  private static func expertsName(_ layer: Int) -> String {
    "model.layers.\(layer).mlp.kept_experts"
  }

  private var metadata: [String: String] {
    var metadata = [
      "format": PlanFile.format, "version": "\(ResultFile.version)", "metric": metric,
      "structure": structure, "ratio_asked": "\(ratioAsked)", "ratio_reached": "\(ratioReached)",
      "model_digest": modelDigest.hexadecimal, "shape": ShapeText.encode(shape),
    ]
    metadata["data_digest"] = dataDigest?.hexadecimal
    metadata["model_full_digest"] = fullDigest?.hexadecimal
    if isUniform { metadata["uniform"] = "true" }
    if plan.replacesExperts { metadata["replaces_experts"] = "true" }
    if !sparing.layers.isEmpty { metadata["excluded_layers"] = LayerNumbers.text(sparing.layers) }
    if let given = sparing.moduleRatio {
      metadata[PlanFile.ratioName(given.tap)] = "\(given.ratio)"
    }
    return metadata
  }
}
