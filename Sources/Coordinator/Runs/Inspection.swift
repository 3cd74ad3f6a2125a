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
      facts.add("tensors", "\(file.header.tensors.count)")
      for tensor in file.header.tensors {
        facts.add(tensor.name, "\(tensor.elementType.rawValue) \(tensor.shape)")
      }
      return facts
    }
  }

  private func statistics() throws -> InspectionSummary {
    let file = try StatisticsFile(path: path)
    var facts = InspectionSummary("statistics")
    facts.add("tokens", "\(file.statistics.moments?.tokenCount ?? 0)")
    facts.add("samples", "\(file.statistics.sampleCount)")
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
    if file.isUniform { facts.add("uniform", "true") }
    facts.add("ratio asked", Format.percent(file.ratioAsked))
    facts.add("ratio reached", Format.percent(file.ratioReached))
    facts.add("model digest", file.modelDigest.hexadecimal)
    facts.add(file.plan.prunedShape(of: file.shape))
    return facts
  }

  private func checkpoint() throws -> InspectionSummary {
    let inputs = try RunInputs(model: path)
    var facts = InspectionSummary("checkpoint, \(inputs.checkpoint.configuration.modelType)")
    facts.add("digest", inputs.checkpoint.digest.hexadecimal)
    facts.add("bytes", Format.bytes(inputs.checkpoint.byteCount))
    facts.add(inputs.shape)
    return facts
  }
}

/// Named facts, in order.
struct InspectionSummary: Encodable {
  private var facts: [(name: String, value: String)]

  init(_ kind: String) { facts = [("kind", kind)] }

  mutating func add(_ name: String, _ value: String) { facts.append((name, value)) }

  mutating func add(_ shape: ModelShape) {
    add("parameters", Format.count(shape.parameterCount))
    add("decoder parameters", Format.count(shape.decoderParameterCount))
    add("hidden size", "\(shape.hiddenSize)")
    add("head dimension", "\(shape.headDimension)")
    add("vocabulary", "\(shape.vocabularySize)")
    add("layers", "\(shape.layers.count)")
    add("heads per layer", InspectionSummary.list(shape.layers.map(\.headCount)))
    add("groups per layer", InspectionSummary.list(shape.layers.map(\.keyValueHeadCount)))
    add("neurons per layer", InspectionSummary.list(shape.layers.map(\.intermediateSize)))
  }

  var table: String {
    let width = facts.map(\.name.count).max() ?? 0
    return facts.map { fact in
      fact.name + String(repeating: " ", count: width - fact.name.count + 2) + fact.value
    }.joined(separator: "\n")
  }

  func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: Key.self)
    for fact in facts { try container.encode(fact.value, forKey: Key(fact.name)) }
  }

  private struct Key: CodingKey {
    let stringValue: String
    var intValue: Int? { nil }

    init(_ name: String) { stringValue = name.replacing(" ", with: "_") }
    init?(stringValue: String) { self.init(stringValue) }
    init?(intValue: Int) { nil }
  }

  /// One number where all are equal.
  private static func list(_ numbers: [Int]) -> String {
    Set(numbers).count == 1
      ? "\(numbers[0])" : numbers.map(String.init).joined(separator: " ")
  }
}
