internal import Coordination
internal import Export
internal import FlapCore
internal import Foundation
internal import Journal
internal import Report
internal import Statistics
internal import Storage
internal import SystemPackage

/// A run that has come to its end, as `flap/run.json` in its output folder tells, and what of its
/// files is as it says there. While it is mended or added to, it has a journal again.
struct FinishedRun {
  /// What `flap/run.json` says, as far as it decides what is left to do.
  private struct Record: Decodable {
    struct GGUF: Decodable {
      let bytes: Int
      let sha256: String
    }

    /// What decided its result; see ``RunIdentity``.
    let terms: [String: String]
    let shards: [FileSummary]
    let kernels: String
    /// nil in records of earlier versions.
    let records: [FileSummary]?
    let gguf: GGUF?
    let evaluation: ComparedEvaluationSummary?
    /// nil where no questions were put, and in records of earlier versions.
    let tasks: ComparedTasksSummary?
    let maps: [MapSummary]?
    /// nil in records of earlier versions.
    let model: ModelRecord?
  }

  private let folder: FilePath
  private let record: Record
  private let files: [FileSummary]
  private let damaged: Set<String>

  /// The finished result of a run under these terms, for `--resume` to go on with; nil where there
  /// is none.
  ///
  /// - Throws: ``JournalError/otherRun(_:_:)`` when it is the result of another run.
  static func find(
    _ place: RunWorkspace.Place, as identity: RunIdentity, resuming: Bool
  ) throws -> FinishedRun? {
    let path = place.path.pushing("flap/run.json")
    guard resuming, SmallFile.exists(path) else { return nil }
    let bytes = try SmallFile.read(path, limit: Limits.jsonFileBytes)
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    guard let record = try? decoder.decode(Record.self, from: Data(bytes)) else { return nil }
    let earlier = RunIdentity(facts: record.terms.map { ($0.key, $0.value) })
    let differences = identity.differences(from: earlier)
    guard differences.isEmpty else { throw JournalError.otherRun(place.path.string, differences) }
    return FinishedRun(record, in: place)
  }

  private init(_ record: Record, in place: RunWorkspace.Place) {
    folder = place.path
    self.record = record
    let gguf = record.gguf.map {
      FileSummary(file: WriteOptions.ggufName, bytes: $0.bytes, sha256: $0.sha256)
    }
    files = record.shards + (record.records ?? []) + (gguf.map { [$0] } ?? [])
    // Where there is a journal again, that one tells what is there.
    let doubtful = place.hasJournal ? [] : files
    damaged = Set(doubtful.filter { !$0.isTrue(in: place.path) }.map(\.file))
  }

  /// How maps were fitted; nil where none was.
  var maps: [MapSummary]? { record.maps }

  var hasGGUF: Bool { record.gguf != nil }

  /// The perplexities that were measured; nil where none were, or over other data.
  ///
  /// - Parameter data: nil: over any.
  func evaluation(over data: Digest?) -> PruningReport.Evaluation? {
    guard let evaluation = record.evaluation.flatMap(PruningReport.Evaluation.init),
      data == nil || evaluation.data.digest == data
    else { return nil }
    return evaluation
  }

  /// The answers that were counted; nil where none were, or to other questions.
  ///
  /// - Parameter questions: nil: to any.
  func answers(to questions: Digest?) -> ComparedTasksSummary? {
    guard let tasks = record.tasks, questions.map({ $0.hexadecimal == tasks.digest }) ?? true else {
      return nil
    }
    return tasks
  }

  /// What is to be done again or besides, a line each, in the order of its doing; none where the
  /// result is as it says and as it is wanted.
  ///
  /// - Parameters:
  ///   - data: of which the perplexities are wanted; nil: of none.
  ///   - questions: to which the answers are wanted; nil: to none.
  func tasks(
    _ format: CheckpointFormat?, evaluatingOver data: Digest?, answering questions: Digest? = nil
  ) -> [String] {
    var tasks = files.map(\.file).filter(damaged.contains).map {
      "\($0) is damaged or missing: it is written again"
    }
    if format == .gguf, !hasGGUF { tasks.append("\(WriteOptions.ggufName) is added") }
    if let data, evaluation(over: data) == nil { tasks.append("the perplexities are added") }
    if let questions, answers(to: questions) == nil { tasks.append("answers to --tasks are added") }
    return tasks
  }

  /// Puts what is there and sound into the journal of the run that mends or adds the rest.
  ///
  /// - Parameter tree: of the samples; nil for a run without a pass.
  func fill(_ journal: RunJournal, tree: CanonicalTree?) throws {
    let shards = record.shards.enumerated().compactMap { index, file -> LedgerRecord? in
      guard !damaged.contains(file.file), let digest = Digest(hexadecimal: file.sha256) else {
        return nil
      }
      return LedgerRecord(
        key: .shard(index: index), fileName: file.file, bytes: 0..<file.bytes, digest: digest)
    }
    try journal.commit(shards, removing: [])
    for kernels in KernelRecord.fingerprints(in: record.kernels) {
      try journal.note(kernels: kernels)
    }
    try journal.note(record.model?.checksums ?? [:])
    let name = "flap/statistics.safetensors"
    guard record.records?.contains(where: { $0.file == name }) == true, !damaged.contains(name),
      let file = try? StatisticsFile(path: folder.pushing(FilePath(name)))
    else { return }
    for type in StatisticCatalog.standard.types {
      guard let layers = file.statistics[type.kind] else { continue }
      switch type.source {
      case .taps, .experts, .expertOutputs, .expertNeurons:
        if let tree { try journal.keep(type.kind, layers, of: tree.root) }
      case .weights, .maps:
        for (layer, values) in layers.enumerated() {
          try journal.keep(type.kind, [values], from: layer, of: nil)
        }
      case .predictions: break
      }
    }
  }
}

extension RunJournal {
  /// Keeps values of layers as their reports would have been kept.
  fileprivate func keep(
    _ kind: StatisticKind, _ layers: [PerTap<any Statistic>], from first: Int = 0,
    of node: TreeNode?
  ) throws {
    let name = "\(kind.name)-" + (node.map { "\($0.level)-\($0.index)" } ?? "\(first)")
    var records: [LedgerRecord] = []
    var offset = 0
    _ = try write(name) { append in
      for place in TapPlace.all(in: first..<first + layers.count) {
        let bytes = layers[place.layer - first][place.tap].bytes
        try append(bytes)
        records.append(
          LedgerRecord(
            key: .statistic(StatisticKey(kind, place, node: node)), fileName: name,
            bytes: offset..<offset + bytes.count, digest: Digest(hashing: bytes)))
        offset += bytes.count
      }
      return true
    }
    try commit(records, removing: [])
  }
}
