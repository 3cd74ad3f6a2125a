public import ArgumentParser
internal import Checkpoint
internal import Coordination
internal import FlapCore
internal import GGUF
internal import Host
internal import Logging
internal import Storage
public import SystemPackage

/// `flap-coord export`: a checkpoint, dense or pruned, as a GGUF file for llama.cpp.
public struct ExportRun: Sendable {
  let model: FilePath
  let output: FilePath
  let type: ExportType

  public init(model: FilePath, output: FilePath, type: ExportType) {
    self.model = model
    self.output = output
    self.type = type
  }

  public func run(_ console: Console) throws {
    let export = try GGUFExport(directory: model, elementType: type.elementType)
    guard (try? Folder.entries(of: output)) == nil else {
      throw UsageError("--output \(output) is a folder: name a file, such as model.gguf")
    }
    try OutputFile.check(output, inputs: [model])
    for note in export.checkpointNotes { console.log.warning("\(note)") }
    let summary = try ExportSummary(
      writing: export, to: output, Interruption(), console)
    try console.show(summary, isInFiles: true, table: summary.table)
  }
}

/// The type of the matrices in a GGUF file.
public enum ExportType: String, ExpressibleByArgument, Sendable, CaseIterable {
  /// The type of the checkpoint.
  case auto
  case bf16
  case f16
  case f32

  var elementType: ElementType? {
    switch self {
    case .auto: nil
    case .bf16: .bfloat16
    case .f16: .float16
    case .f32: .float32
    }
  }
}

/// The result of `export`.
struct ExportSummary: Encodable {
  let output: String
  let architecture: String
  let type: String
  let tensors: Int
  let bytes: Int
  let sha256: String
  /// What a user of the file should know.
  let notes: [String]

  /// Writes the file.
  init(
    writing export: GGUFExport, to path: FilePath, _ interruption: Interruption, _ console: Console
  ) throws {
    for note in export.notes { console.log.notice("\(note)") }
    var meter = console.meter("GGUF", unit: "bytes", total: Double(export.byteCount))
    var written = 0
    let file = try export.write(to: path) { byteCount in
      try interruption.check()
      written += byteCount
      meter.show(
        fraction: Double(written) / Double(export.byteCount), workers: [], RunCounters())
    }
    output = path.string
    architecture = export.architecture
    type = export.elementType.rawValue
    tensors = export.tensors.count
    bytes = file.byteCount
    sha256 = file.digest.hexadecimal
    notes = export.notes
  }

  var table: String {
    "\(tensors) tensors in \(type), architecture \(architecture), \(Format.bytes(bytes))\n→ \(output)"
  }
}

extension WriteOptions {
  /// The GGUF file's name in the folder of a pruned checkpoint.
  static let ggufName = "model.gguf"

  /// Refuses a model of which no GGUF file can be made, before any work is done.
  func checkFormat(model: FilePath) throws {
    if format == .gguf { _ = try GGUFExport(directory: model) }
  }

  /// Refuses what would be left of a model and no GGUF file can hold.
  func checkFormat(_ inputs: RunInputs, isUniform: Bool, keepsHeads: Bool, compensates: Bool) throws
  {
    guard format == .gguf else { return }
    try GGUFExport.check(
      pruning: inputs.checkpoint.configuration, in: inputs.checkpoint.directory,
      isUniform: isUniform, keepsHeads: keepsHeads, compensates: compensates)
  }

  /// Adds the GGUF file to a pruned checkpoint where it was asked for, or was there.
  func addGGUF(
    to folder: FilePath, of finished: FinishedRun?, _ interruption: Interruption,
    _ console: Console
  ) throws -> ExportSummary? {
    guard format == .gguf || finished?.hasGGUF == true else { return nil }
    return try ExportSummary(
      writing: GGUFExport(directory: folder), to: folder.appending(WriteOptions.ggufName),
      interruption, console)
  }
}
