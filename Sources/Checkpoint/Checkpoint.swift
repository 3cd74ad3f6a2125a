public import FlapCore
internal import FoundationEssentials
internal import Storage
internal import Synchronization
public import SystemPackage

/// A Hugging Face checkpoint: `config.json` and safetensors shards, mapped into memory.
public final class Checkpoint: Sendable {
  public let directory: FilePath
  public let configuration: ModelConfiguration
  /// Which file has which tensor.
  private let files: [String: SafetensorsFile]
  /// Tensors that are parts of others, by name.
  let parts: [String: StoredPart]
  /// Sorted.
  public let tensorNames: [String]
  let positions: [String: Int]
  let taken = Mutex(Taken())

  /// - Throws: ``ConfigurationError``, ``CheckpointError`` or a ``StorageError``.
  public convenience init(directory: FilePath) throws {
    try self.init(
      directory: directory,
      configuration: try ModelConfiguration(path: directory.appending("config.json")))
  }

  /// - Parameter configuration: what the weights are read by, whatever `config.json` says.
  /// - Throws: ``CheckpointError`` or a ``StorageError``.
  public init(directory: FilePath, configuration: ModelConfiguration) throws {
    self.directory = directory
    self.configuration = configuration
    let index = directory.appending(Checkpoint.indexName)
    let single = directory.appending(Checkpoint.singleName)
    if SmallFile.exists(index) {
      files = try Checkpoint.files(of: index, in: directory)
    } else if SmallFile.exists(single) {
      let file = try SafetensorsFile(path: single)
      files = Dictionary(uniqueKeysWithValues: file.header.tensors.map { ($0.name, file) })
    } else {
      throw CheckpointError.noWeights(directory: directory.string)
    }
    let files = files
    parts = Checkpoint.storedParts(of: configuration.shape) { files[$0] != nil }
    tensorNames = files.keys.sorted()
    positions = Dictionary(
      uniqueKeysWithValues: tensorNames.enumerated().map { ($0.element, $0.offset) })
  }

  func file(of tensor: String) -> SafetensorsFile? { files[storedName(of: tensor)] }

  /// Bytes of all tensors.
  public var byteCount: Int {
    files.reduce(0) { $0 + ($1.value.tensor($1.key)?.bytes.count ?? 0) }
  }

  /// What of its folder is read: configuration, index where there is one, shards.
  public var fileNames: [String] {
    let shards = Set(files.values.map { $0.path.lastComponent!.string }).sorted()
    let index = Checkpoint.indexName
    return ["config.json"] + (SmallFile.exists(directory.appending(index)) ? [index] : []) + shards
  }

  public func contains(_ name: String) -> Bool { file(of: name) != nil }

  /// - Throws: ``CheckpointError`` when the tensor is missing, has another shape, or is of a type
  ///   that is none of weights.
  public func tensor(_ name: String, shape: [Int]) throws(CheckpointError) -> TensorView {
    if let part = parts[name] { return part.view(of: try stored(part.tensor, shape: part.shape)) }
    return try stored(name, shape: shape)
  }

  private func stored(_ name: String, shape: [Int]) throws(CheckpointError) -> TensorView {
    guard let file = files[name], let view = file.tensor(name) else {
      throw .missingTensor(name, directory: directory.string)
    }
    let path = file.path.string
    guard view.elementType.isWeightType else {
      throw .wrongType(tensor: name, type: view.elementType.rawValue, path: path)
    }
    guard view.shape == shape else {
      throw .wrongShape(tensor: name, found: view.shape, expected: shape, path: path)
    }
    return view
  }

  /// Checks that every tensor is there that the configuration asks for, in its shape.
  public func validate() throws(CheckpointError) {
    for expected in configuration.shape.tensors {
      _ = try tensor(expected.name, shape: expected.shape)
    }
  }

  /// Identity of the model, whatever its path and shards: SHA-256 over its shape, the names,
  /// types and shapes of its tensors, and up to 16 slices of 4 KiB from each, evenly spaced.
  ///
  /// It samples, so that the digest of a model of 13 GB takes a fraction of a second; two
  /// checkpoints of the same architecture that differ in every tensor, as after any training,
  /// differ here.
  public var digest: Digest {
    var builder = DigestBuilder()
    builder.update(configuration.shape.identity)
    for name in tensorNames {
      guard let view = files[name]?.tensor(name) else { continue }
      builder.update("\n\(name) \(view.elementType.rawValue) \(view.shape)\n")
      let sliceBytes = 4096
      let sliceCount = 16
      if view.bytes.count <= sliceBytes * sliceCount {
        builder.update(view.bytes)
      } else {
        let step = (view.bytes.count - sliceBytes) / (sliceCount - 1)
        for slice in 0..<sliceCount {
          let bytes = view.bytes[slice * step..<slice * step + sliceBytes]
          builder.update(UnsafeRawBufferPointer(rebasing: bytes))
        }
      }
    }
    return builder.finalize()
  }

  // MARK: Index

  static let indexName = "model.safetensors.index.json"
  /// Of weights without an index.
  static let singleName = "model.safetensors"

  /// The files that an index names, sorted.
  static func shardNames(of index: FilePath) throws -> [String] {
    Set(try weightMap(of: index).values).sorted()
  }

  /// File names by those of tensors.
  private static func weightMap(of index: FilePath) throws -> [String: String] {
    struct Index: Decodable {
      let weightMap: [String: String]
      enum CodingKeys: String, CodingKey {
        case weightMap = "weight_map"
      }
    }
    do {
      let bytes = try SmallFile.read(index, limit: Limits.jsonFileBytes)
      return try JSONDecoder().decode(Index.self, from: Data(bytes)).weightMap
    } catch let error as StorageError {
      throw error
    } catch {
      throw CheckpointError.malformedIndex(
        path: index.string, reason: "it has no weight_map of names to file names")
    }
  }

  private static func files(of index: FilePath, in directory: FilePath) throws
    -> [String: SafetensorsFile]
  {
    let weightMap = try weightMap(of: index)
    var shards: [String: SafetensorsFile] = [:]
    for name in Set(weightMap.values).sorted() {
      guard !name.contains("/"), name != "..", !name.isEmpty else {
        throw CheckpointError.malformedIndex(
          path: index.string, reason: "\"\(name)\" is not the name of a file beside it")
      }
      let path = directory.appending(name)
      guard SmallFile.exists(path) else {
        throw CheckpointError.missingShard(path: path.string, index: index.string)
      }
      shards[name] = try SafetensorsFile(path: path)
    }
    for (tensor, shard) in weightMap where shards[shard]!.tensor(tensor) == nil {
      throw CheckpointError.notInShard(tensor: tensor, shard: directory.appending(shard).string)
    }
    return weightMap.mapValues { shards[$0]! }
  }
}
