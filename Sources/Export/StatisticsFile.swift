internal import Checkpoint
public import FlapCore
internal import Foundation
public import Statistics
internal import Storage
public import SystemPackage

/// `statistics.safetensors`: all that a structure search needs, so that it needs neither weights
/// nor workers.
///
/// Per layer L and tap, F64 [channels]: `model.layers.L.self_attn.o_proj.input_mean`,
/// `….input_m2`, `….weight_sumsq`, `….weight_abs_mean`, the same for `mlp.down_proj`. Metadata:
/// format "flap-statistics", version, token_count, sample_count, model_digest, data_digest,
/// compute, shape, model_type. Its bytes depend on these values alone.
public struct StatisticsFile: Sendable {
  public var moments: ModelMoments
  public var norms: [LayerWeightNorms]
  public var shape: ModelShape
  public var modelDigest: Digest
  public var dataDigest: Digest
  public var compute: ComputeType
  /// The model's family as its config.json names it; nil in files of earlier versions.
  public var modelType: String?

  public init(
    moments: ModelMoments, norms: [LayerWeightNorms], shape: ModelShape, modelDigest: Digest,
    dataDigest: Digest, compute: ComputeType, modelType: String? = nil
  ) {
    self.moments = moments
    self.norms = norms
    self.shape = shape
    self.modelDigest = modelDigest
    self.dataDigest = dataDigest
    self.compute = compute
    self.modelType = modelType
  }

  static let format = "flap-statistics"

  /// - Throws: ``ResultFileError``, ``CheckpointError``, ``StorageError``.
  public init(path: FilePath) throws {
    let file = try ResultFile(path: path, format: StatisticsFile.format)
    let shape = try file.shape()
    self.shape = shape
    modelDigest = try file.digest("model_digest")
    dataDigest = try file.digest("data_digest")
    guard let compute = ComputeType(rawValue: try file.text("compute")) else {
      throw file.error("its compute is neither bf16 nor f32")
    }
    self.compute = compute
    modelType = file.has("model_type") ? try file.text("model_type") : nil
    let tokenCount = try file.count("token_count")
    var layers: [LayerMoments] = []
    norms = []
    for layer in shape.layers.indices {
      func values(_ tap: Tap, _ name: String) throws -> [Double] {
        try file.float64(
          "\(tap.moduleName(layer: layer)).\(name)",
          count: shape.channelCount(layer: layer, tap: tap))
      }
      func moments(_ tap: Tap) throws -> ChannelMoments {
        ChannelMoments(
          count: tokenCount, mean: try values(tap, "input_mean"), m2: try values(tap, "input_m2"))
      }
      func norms(_ tap: Tap) throws -> WeightNorms {
        WeightNorms(
          squareSum: try values(tap, "weight_sumsq"),
          absoluteMean: try values(tap, "weight_abs_mean"))
      }
      layers.append(
        LayerMoments(attentionOutput: try moments(.attentionOutput), mlpDown: try moments(.mlpDown))
      )
      self.norms.append(
        LayerWeightNorms(attentionOutput: try norms(.attentionOutput), mlpDown: try norms(.mlpDown))
      )
    }
    moments = ModelMoments(sampleCount: try file.count("sample_count"), layers: layers)
    do {
      try moments.validate(for: shape)
    } catch {
      throw file.error("\(error)")
    }
  }

  public func write(to path: FilePath) throws {
    var arrays: [(name: String, values: [Double])] = []
    for layer in shape.layers.indices {
      for tap in Tap.allCases {
        let name = tap.moduleName(layer: layer)
        arrays.append(("\(name).input_mean", moments.layers[layer][tap].mean))
        arrays.append(("\(name).input_m2", moments.layers[layer][tap].m2))
        arrays.append(("\(name).weight_sumsq", norms[layer][tap].squareSum))
        arrays.append(("\(name).weight_abs_mean", norms[layer][tap].absoluteMean))
      }
    }
    var writer = try SafetensorsWriter(
      destination: path,
      tensors: arrays.map {
        TensorDeclaration(name: $0.name, elementType: .float64, shape: [$0.values.count])
      }, metadata: metadata)
    for array in arrays { try array.values.withUnsafeBytes { try writer.append($0) } }
    _ = try writer.commit()
  }

  private var metadata: [String: String] {
    var metadata = [
      "format": StatisticsFile.format, "version": "\(ResultFile.version)",
      "token_count": "\(moments.tokenCount)", "sample_count": "\(moments.sampleCount)",
      "model_digest": modelDigest.hexadecimal, "data_digest": dataDigest.hexadecimal,
      "compute": compute.rawValue, "shape": ShapeText.encode(shape),
    ]
    metadata["model_type"] = modelType
    return metadata
  }
}
