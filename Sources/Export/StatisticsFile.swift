internal import Checkpoint
public import FlapCore
public import Statistics
internal import Storage
public import SystemPackage

/// `statistics.safetensors`: all that a structure search needs, so that it needs neither weights
/// nor workers.
///
/// Per layer L and tap, F64 [channels]: `model.layers.L.self_attn.o_proj.input_mean`,
/// `….input_m2`, `….weight_sumsq`, `….weight_abs_mean`, the same for `mlp.down_proj`. Metadata:
/// format "flap-statistics", version, token_count, sample_count, model_digest, data_digest,
/// compute, shape, model_type, model_full_digest. Other kinds of statistics add arrays under names of
/// their own (`Statistic.arrayNames`): `….removal_rank` and `….removal_error` F64 [channels],
/// `….loss_level` and `….loss` F64 [32]. At `mlp.down_proj` of a layer with experts there are no moments,
/// the weights' norms are of all experts, and `….expert_count`, `….expert_gate_sum`, `….expert_norm_sum`,
/// `….expert_gated_norm_sum` F64 [experts], with --replace-experts `….expert_output_sum` F64 [experts,
/// hidden] row by row. Its bytes depend on these values alone.
public struct StatisticsFile: Sendable {
  public var statistics: ModelStatistics
  public var shape: ModelShape
  public var modelDigest: Digest
  public var dataDigest: Digest
  public var compute: ComputeType
  /// The model's family as its config.json names it; nil in files of earlier versions.
  public var modelType: String?
  /// Of every bit of the model (`Checkpoint.fullDigest`); nil in files of earlier versions.
  public var fullDigest: Digest?
  private let catalog: StatisticCatalog

  /// - Precondition: the statistics have moments and weight norms of every layer of the shape.
  public init(
    statistics: ModelStatistics, shape: ModelShape, modelDigest: Digest, dataDigest: Digest,
    compute: ComputeType, modelType: String? = nil, fullDigest: Digest? = nil,
    catalog: StatisticCatalog = .standard
  ) {
    self.fullDigest = fullDigest
    precondition(
      StatisticsFile.required.allSatisfy { statistics[$0]?.count == shape.layers.count },
      "moments and norms of every layer")
    self.statistics = statistics
    self.shape = shape
    self.modelDigest = modelDigest
    self.dataDigest = dataDigest
    self.compute = compute
    self.modelType = modelType
    self.catalog = catalog
  }

  static let format = "flap-statistics"
  /// Kinds that every file has; those that the catalog has besides are there or not.
  private static let required = [ChannelMoments.kind, WeightNorms.kind]

  /// - Throws: ``ResultFileError``, ``CheckpointError``, ``StorageError``.
  public init(path: FilePath, catalog: StatisticCatalog = .standard) throws {
    let file = try ResultFile(path: path, format: StatisticsFile.format)
    self.catalog = catalog
    shape = try file.shape()
    modelDigest = try file.digest("model_digest")
    dataDigest = try file.digest("data_digest")
    guard let compute = ComputeType(rawValue: try file.text("compute")) else {
      throw file.error("its compute is neither bf16 nor f32")
    }
    self.compute = compute
    fullDigest = file.has("model_full_digest") ? try file.digest("model_full_digest") : nil
    modelType = file.has("model_type") ? try file.text("model_type") : nil
    let tokenCount = try file.count("token_count")
    statistics = ModelStatistics(sampleCount: try file.count("sample_count"))
    guard statistics.sampleCount <= tokenCount else {
      throw file.error(
        "it counts \(statistics.sampleCount) samples for \(tokenCount) tokens, which is "
          + "impossible; calibrate again")
    }
    for type in catalog.types { try read(type, from: file, tokenCount: tokenCount) }
  }

  private mutating func read<Value: Statistic>(
    _: Value.Type, from file: ResultFile, tokenCount: Int
  ) throws {
    let places = TapPlace.all(in: shape.layers.indices)
    guard let array = Value.arrayNames.first,
      let first = places.first(where: { channelCount(Value.self, $0) > 0 }),
      StatisticsFile.required.contains(Value.kind)
        || file.hasTensor(StatisticsFile.name(first, array))
    else { return }
    statistics[Value.self] = try shape.layers.indices.map { layer in
      try PerTap { tap in
        let place = TapPlace(layer: layer, tap)
        let count = channelCount(Value.self, place)
        let arrays = try Value.arrayNames.map { name in
          guard count > 0 else { return [Double]() }
          return try file.float64(
            StatisticsFile.name(place, name), count: Value.arrayLength(channelCount: count))
        }
        let value = Value(arrays: arrays, tokenCount: tokenCount)
        do throws(StatisticDefect) { try value.validate() } catch {
          let key = StatisticKey(Value.kind, place, node: nil)
          throw file.error("\(StatisticsError.defect(key, error))")
        }
        return value
      }
    }
  }

  private func channelCount(_ type: any Statistic.Type, _ place: TapPlace) -> Int {
    StatisticCatalog.channelCount(of: type, at: place, in: shape)
  }

  public func write(to path: FilePath) throws {
    let arrays = TapPlace.all(in: shape.layers.indices).flatMap { place in
      catalog.types.flatMap { type -> [(name: String, values: [Double])] in
        guard let value = statistics[type.kind]?[place.layer][place.tap],
          channelCount(type, place) > 0
        else { return [] }
        return zip(type.arrayNames, value.arrays).map { (StatisticsFile.name(place, $0), $1) }
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

  private static func name(_ place: TapPlace, _ array: String) -> String {
    "\(place.tap.moduleName(layer: place.layer)).\(array)"
  }

  private var metadata: [String: String] {
    var metadata = [
      "format": StatisticsFile.format, "version": "\(ResultFile.version)",
      "token_count": "\(statistics.moments?.tokenCount ?? 0)",
      "sample_count": "\(statistics.sampleCount)",
      "model_digest": modelDigest.hexadecimal, "data_digest": dataDigest.hexadecimal,
      "compute": compute.rawValue, "shape": ShapeText.encode(shape),
    ]
    metadata["model_type"] = modelType
    metadata["model_full_digest"] = fullDigest?.hexadecimal
    return metadata
  }
}
