internal import Checkpoint
internal import FlapCore
internal import Foundation
internal import GGUF
internal import Host
internal import Logging
internal import Pruning
internal import Report
internal import Storage
internal import SystemPackage

/// A model whose speed is measured: a checkpoint's folder, or a GGUF file.
struct BenchSubject {
  enum Source {
    case checkpoint(RunInputs)
    case gguf
  }

  let path: FilePath
  let source: Source

  init(_ path: FilePath, _ log: Logger) throws {
    self.path = path
    if path.extension == "gguf" {
      guard SmallFile.byteCount(path) != nil else { throw UsageError("\(path) does not exist") }
      source = .gguf
    } else {
      source = .checkpoint(try RunInputs(model: path, log))
    }
  }

  var figures: SpeedMeasurement.Model {
    let name = ModelName.short(path: path.absolute.string)
    switch source {
    case .gguf:
      return SpeedMeasurement.Model(
        name: name, weightBytes: SmallFile.byteCount(path) ?? 0, keyValueCacheBytesPerToken: nil,
        flopsPerToken: nil)
    case .checkpoint(let inputs):
      return SpeedMeasurement.Model(
        name: name, weightBytes: inputs.checkpoint.byteCount,
        keyValueCacheBytesPerToken: 2 * inputs.shape.keyValueCacheCount,
        flopsPerToken: inputs.shape.operationsPerToken)
    }
  }

  /// The file that llama.cpp reads: the model itself, or one that is made in a folder for it.
  func ggufFile(
    _ type: ElementType?, in folder: FilePath, _ interruption: Interruption
  ) throws -> FilePath {
    guard case .checkpoint(let inputs) = source else { return path }
    let export = try GGUFExport(directory: inputs.directory, elementType: type)
    let file = folder.appending("\(UUID().uuidString).gguf")
    _ = try export.write(to: file) { _ in try interruption.check() }
    return file
  }
}
