internal import Checkpoint
internal import Export
internal import FlapCore
internal import Foundation
internal import Pruning
internal import Statistics
internal import Storage
public import SystemPackage

/// `flap-coord inspect`: what a file or a checkpoint's folder holds.
public struct Inspection: Sendable {
  let path: FilePath

  public init(path: FilePath) { self.path = path }

  public func run(_ console: Console) throws {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path.string, isDirectory: &isFolder) else {
      throw UsageError("\(path) does not exist")
    }
    let facts = try isFolder.boolValue ? checkpoint() : file()
    try console.show(facts, table: facts.table)
  }

  private func file() throws -> InspectionSummary {
    let file = try SafetensorsFile(path: path)
    switch file.header.metadata["format"] {
    case "flap-statistics": return try statistics()
    case "flap-plan": return try plan()
    default:
      var facts = InspectionSummary("safetensors file")
      facts.add("tensors", file.header.tensors.count)
      for tensor in file.header.tensors {
        facts.add(tensor.name, .tensor(tensor.elementType, tensor.shape))
      }
      return facts
    }
  }

  private func statistics() throws -> InspectionSummary {
    let file = try StatisticsFile(path: path)
    var facts = InspectionSummary("statistics")
    facts.add("tokens", file.statistics.moments?.tokenCount ?? 0)
    facts.add("samples", file.statistics.sampleCount)
    facts.add("compute", file.compute.rawValue)
    facts.add("model digest", file.modelDigest.hexadecimal)
    facts.add("data digest", file.dataDigest.hexadecimal)
    facts.add(file.shape)
    return facts
  }

  private func plan() throws -> InspectionSummary {
    let file = try PlanFile(path: path)
    var facts = InspectionSummary("plan")
    facts.add("metric", file.metric)
    facts.add("structure", file.structure)
    if file.isUniform { facts.add("uniform", .flag(true)) }
    let excluded = file.sparing.layers.sorted()
    if !excluded.isEmpty { facts.add("excluded layers", .list(excluded)) }
    for (name, tap) in [("attention ratio", Tap.attentionOutput), ("mlp ratio", .mlpDown)] {
      if let ratio = file.sparing.ratio(of: tap) { facts.add(name, .share(ratio)) }
    }
    facts.add("ratio asked", .share(file.ratioAsked))
    facts.add("ratio reached", .share(file.ratioReached))
    facts.add("model digest", file.modelDigest.hexadecimal)
    facts.add(file.plan.prunedShape(of: file.shape))
    return facts
  }

  private func checkpoint() throws -> InspectionSummary {
    let inputs = try RunInputs(model: path)
    var facts = InspectionSummary("checkpoint, \(inputs.checkpoint.configuration.modelType)")
    facts.add("digest", inputs.checkpoint.digest.hexadecimal)
    facts.add("bytes", .bytes(inputs.checkpoint.byteCount))
    facts.add(inputs.shape)
    return facts
  }
}
