internal import Checkpoint
internal import Export
internal import FlapCore
internal import Foundation
internal import Storage
public import SystemPackage

/// `flap-coord inspect --verify`: reads every bit of a model, and says where it is not what a record or
/// another copy says.
public struct Verification: Sendable {
  let model: FilePath
  let against: FilePath?

  /// - Parameter against: nil: only the digest is shown.
  public init(model: FilePath, against: FilePath?) {
    self.model = model
    self.against = against
  }

  public func run(_ console: Console) throws {
    let checkpoint = try RunInputs(model: model).checkpoint
    let record = ModelRecord(checkpoint)
    let differences = try against.map { try self.differences(checkpoint, record, $0) } ?? []
    var facts = InspectionSummary("verified checkpoint")
    facts.add("digest", checkpoint.digest.hexadecimal)
    facts.add("full digest", record.fullDigest)
    facts.add("tensors", record.tensors.count)
    if let against { facts.add("compared with", against.string) }
    try console.show(facts, table: facts.table)
    guard differences.isEmpty else { throw VerificationError(lines: differences) }
  }

  /// A line for everything that differs.
  private func differences(
    _ checkpoint: Checkpoint, _ found: ModelRecord, _ path: FilePath
  ) throws -> [String] {
    let run = path.pushing("flap/run.json")
    if SmallFile.exists(run) {
      let bytes = try SmallFile.read(run, limit: Limits.jsonFileBytes)
      let decoder = JSONDecoder()
      decoder.keyDecodingStrategy = .convertFromSnakeCase
      guard let record = try? decoder.decode(RunRecord.self, from: Data(bytes)).model else {
        throw UsageError("\(run) says nothing of the model's tensors: it is of an earlier version")
      }
      return differences(checkpoint, found, record, path)
    }
    if SmallFile.exists(path.appending("config.json")) {
      let other = ModelRecord(try RunInputs(model: path).checkpoint)
      return differences(checkpoint, found, other, path)
    }
    guard let recorded = try fullDigest(path) else {
      throw UsageError(
        "\(path) says nothing of every bit of the model: it is of an earlier version; give the "
          + "folder of a checkpoint that was pruned from it, or another copy of the model")
    }
    return recorded.hexadecimal == found.fullDigest
      ? [] : ["\(model) is not the model that \(path) was made for: at least one bit differs"]
  }

  private func differences(
    _ checkpoint: Checkpoint, _ found: ModelRecord, _ recorded: ModelRecord, _ path: FilePath
  ) -> [String] {
    let names = Set(found.tensors.keys).union(recorded.tensors.keys).sorted()
    return names.filter { found.tensors[$0] != recorded.tensors[$0] }.map { name in
      guard let file = checkpoint.path(of: name) else {
        return "\(name) is missing in \(model)"
      }
      guard let expected = recorded.tensors[name] else {
        return "\(name) in \(file) is not in \(path)"
      }
      return "\(name) in \(file) differs from \(path): checksum \(found.tensors[name] ?? ""), "
        + "expected \(expected)"
    }
  }

  private func fullDigest(_ path: FilePath) throws -> Digest? {
    switch try SafetensorsFile(path: path).header.metadata["format"] {
    case "flap-statistics": try StatisticsFile(path: path).fullDigest
    case "flap-plan": try PlanFile(path: path).fullDigest
    default: throw UsageError("\(path) is neither of statistics nor a plan, nor a model's folder")
    }
  }
}

/// Of `flap/run.json`, what is said of the model.
private struct RunRecord: Decodable {
  let model: ModelRecord?
}

/// A model that is not what it should be: a line for each tensor.
struct VerificationError: Error, CustomStringConvertible {
  let lines: [String]

  var description: String {
    let count = lines.count == 1 ? "1 difference" : "\(lines.count) differences"
    return "\(count):\n" + lines.joined(separator: "\n")
  }
}
