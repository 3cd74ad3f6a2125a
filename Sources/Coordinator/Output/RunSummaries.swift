internal import Checkpoint
internal import Coordination
internal import Export
internal import FlapCore
internal import Foundation
internal import Host
internal import Pruning
internal import Report
internal import Statistics
internal import Storage
internal import SystemPackage

/// The result of `calibrate`.
struct CalibrationSummary: Encodable {
  let output: String
  let tokens: Int
  let samples: Int
  let compute: String
  let modelDigest: String
  let dataDigest: String
  let peakWorkerBytes: Int

  init(output: String, file: StatisticsFile, peakWorkerBytes: Int) {
    self.output = output
    tokens = file.statistics.moments?.tokenCount ?? 0
    samples = file.statistics.sampleCount
    compute = file.compute.rawValue
    modelDigest = file.modelDigest.hexadecimal
    dataDigest = file.dataDigest.hexadecimal
    self.peakWorkerBytes = peakWorkerBytes
  }

  var table: String {
    "statistics of \(samples) samples, \(tokens) tokens (\(compute)); peak memory of a worker "
      + "\(Format.bytes(peakWorkerBytes))\n→ \(output)"
  }
}

/// A file of a result, as `flap/run.json` states it.
struct FileSummary: Codable {
  /// Relative to the output folder.
  let file: String
  let bytes: Int
  let sha256: String

  init(file: String, bytes: Int, sha256: String) {
    self.file = file
    self.bytes = bytes
    self.sha256 = sha256
  }

  init(_ shard: LedgerRecord) {
    self.init(
      file: shard.fileName, bytes: shard.bytes.count, sha256: shard.digest.hexadecimal)
  }

  init(_ file: PruningReport.File) {
    self.init(file: file.name, bytes: file.byteCount, sha256: file.digest.hexadecimal)
  }

  /// Whether the file in the folder is the one that is stated.
  func isTrue(in folder: FilePath) -> Bool {
    let path = folder.pushing(FilePath(file))
    guard FilePath(file).isLexicallyNormal, SmallFile.byteCount(path) == bytes else {
      return false
    }
    return (try? SmallFile.digest(path))?.hexadecimal == sha256
  }
}

/// The result of `write`, also `flap/run.json`.
struct WriteSummary: Encodable {
  var version = SoftwareVersion.current
  let output: String
  let shards: [FileSummary]
  /// Plan and statistics.
  let records: [FileSummary]
  let gguf: ExportSummary?
  /// Of least squares; nil where no map was fitted.
  let maps: [MapSummary]?
  /// What decided the result.
  let terms: [String: String]
  let model: ModelRecord

  var table: String {
    "\(shards.count) shards, \(Format.bytes(shards.reduce(0) { $0 + $1.bytes }))\n→ \(output)"
      + (gguf.map { "\n\($0.table)" } ?? "")
  }
}

/// The result of a whole run, also `flap/run.json`.
struct PruneSummary: Encodable {
  let version: String
  let search: SearchSummary
  let compute: String?
  let compensation: String
  let evaluation: ComparedEvaluationSummary?
  /// nil where no questions were put.
  var tasks: ComparedTasksSummary?
  let tokens: Int
  let modelDigest: String
  let dataDigest: String?
  /// Of the workers whose results it is made of.
  let kernels: String
  let peakWorkerBytes: Int
  let seconds: Double
  let shards: [FileSummary]
  /// Plan and statistics.
  let records: [FileSummary]
  /// nil where none was asked for.
  var gguf: ExportSummary?
  /// Of least squares; nil where no map was fitted.
  var maps: [MapSummary]?
  /// What decided the result.
  let terms: [String: String]
  let model: ModelRecord

  init(
    search: SearchSummary, shards: [LedgerRecord], records: [PruningReport.File],
    tokenCount: Int, modelDigest: Digest,
    dataDigest: Digest?, compute: ComputeType?, compensation: CompensationMethod,
    evaluation: PruningReport.Evaluation?, kernels: [String], peakWorkerBytes: Int, seconds: Double,
    terms: [String: String], model: ModelRecord
  ) {
    self.model = model
    self.evaluation = evaluation.map(ComparedEvaluationSummary.init)
    self.terms = terms
    version = SoftwareVersion.current
    self.search = search
    self.compute = compute?.rawValue
    self.compensation = compensation.rawValue
    tokens = tokenCount
    self.modelDigest = modelDigest.hexadecimal
    self.dataDigest = dataDigest?.hexadecimal
    self.kernels = KernelRecord.text(kernels)
    self.peakWorkerBytes = peakWorkerBytes
    self.seconds = seconds
    self.shards = shards.map { FileSummary($0) }
    self.records = records.map { FileSummary($0) }
  }

  var table: String {
    let bytes = shards.reduce(0) { $0 + $1.bytes }
    return search.table
      + " (\(shards.count) shards, \(Format.bytes(bytes)), \(Format.seconds(seconds)); peak memory "
      + "of a worker \(Format.bytes(peakWorkerBytes)))"
      + (evaluation.map { "\n\($0.line)" } ?? "") + (tasks.map { "\n\($0.table)" } ?? "")
  }
}

/// The result of `--eval`.
struct ComparedEvaluationSummary: Codable {
  let dense: Double
  let pruned: Double
  /// That were predicted.
  let tokens: Int
  /// The data: its name, size and digest.
  let data: String
  let dataSamples: Int
  let dataTokens: Int
  let dataDigest: String
  /// Tokens that the model saw at once; nil in records of earlier versions.
  let window: Int?

  init(_ evaluation: PruningReport.Evaluation) {
    dense = evaluation.densePerplexity
    pruned = evaluation.prunedPerplexity
    tokens = evaluation.predictedTokenCount
    data = evaluation.data.name
    dataSamples = evaluation.data.sampleCount
    dataTokens = evaluation.data.tokenCount
    dataDigest = evaluation.data.digest.hexadecimal
    window = evaluation.data.tokensPerSample
  }

  var line: String {
    String(format: "perplexity %.4f → %.4f over %d tokens", dense, pruned, tokens)
      + " in windows of \(dataTokens / max(dataSamples, 1))"
  }
}

extension PruningReport.Evaluation {
  /// - Returns: nil where the digest is none.
  init?(_ summary: ComparedEvaluationSummary) {
    guard let digest = Digest(hexadecimal: summary.dataDigest) else { return nil }
    self.init(
      data: PruningReport.DataSet(
        name: summary.data, digest: digest, sampleCount: summary.dataSamples,
        tokenCount: summary.dataTokens),
      predictedTokenCount: summary.tokens, densePerplexity: summary.dense,
      prunedPerplexity: summary.pruned)
  }
}

/// What a run would do.
struct DryRunSummary: Encodable {
  let model: String
  let parameters: Int
  let decoderParameters: Int
  let workers: Int
  let threadsPerWorker: Int?
  /// What would be copied to hosts that lack it.
  let shipping: [String]
  /// To which the workers of this machine keep, in turns.
  let memoryNodes: [MemoryNode]
  /// What would be run to start them.
  let commands: [String]
  let compute: String?
  let samples: Int
  let tokens: Int
  let leaves: Int
  let units: Int
  /// Peak anonymous memory of one worker; mapped weights are not counted.
  let workerBytes: Int?
  let scratchBytes: Int?
  let statisticsBytes: Int?
  /// Weights, which the page cache holds as far as there is room, once for all workers.
  let weightBytes: Int
  /// Bytes of results that come over the network, at the most.
  let reportBytes: Int
  /// Of the files of second moments, which stay; nil: there is none.
  let secondMomentsBytes: Int?
  /// Of residual streams and sums that a worker keeps in its temporary folder meanwhile, and of sums in
  /// the output folder, at the most.
  let temporaryBytes: Int?
  private let memoryThreads: Int
  private let workersText: String

  private enum CodingKeys: String, CodingKey {
    case model, parameters, decoderParameters, workers, threadsPerWorker, memoryNodes, shipping
    case commands, compute, samples
    case tokens, leaves, units, workerBytes, scratchBytes, statisticsBytes, weightBytes
    case reportBytes, secondMomentsBytes, temporaryBytes
  }

  init(_ inputs: RunInputs, _ pass: SampledPass?, _ cluster: ClusterPlan) throws {
    model = inputs.directory.string
    parameters = inputs.shape.parameterCount
    decoderParameters = inputs.shape.decoderParameterCount
    workers = cluster.workerCount
    threadsPerWorker = cluster.threadCount
    memoryNodes = cluster.memoryNodes
    compute = pass?.compute.rawValue
    samples = pass?.tokens.sampleCount ?? 0
    tokens = pass?.tokenCount ?? 0
    leaves = pass?.layout.leafCount ?? 0
    units = pass.map { $0.layout.tree.nodeCount(atLevel: $0.unitLevel) } ?? 0
    let memory = pass.map { cluster.workerMemory(of: $0) }
    shipping = try Shipping(cluster, inputs.checkpoint)?.description ?? []
    commands = try WorkerStart(cluster, model: inputs.directory, digest: inputs.checkpoint.digest)
      .description
    workersText = cluster.description
    reportBytes =
      units
      * (pass.map { StatisticReport.largestByteCount($0.tapKinds, inputs.shape) } ?? 0)
      + (cluster.options.gathers ? inputs.checkpoint.byteCount : 0)
    secondMomentsBytes = pass.flatMap {
      $0.sumsProducts ? SecondMomentsFolder.byteCount(inputs.shape) : nil
    }
    temporaryBytes = pass.flatMap {
      $0.sumsProducts
        ? WorkerDisk(
          $0, cluster, bytesPerWeight: inputs.checkpoint.byteCount / inputs.shape.parameterCount
        ).totalBytes : nil
    }
    memoryThreads = memory?.threadCount ?? 0
    workerBytes = memory?.totalBytes
    scratchBytes = memory?.scratchBytes
    statisticsBytes = memory?.statisticsBytes
    weightBytes = inputs.checkpoint.byteCount
  }

  var table: String {
    var lines = [
      "model      \(model): \(Format.count(parameters)) parameters, "
        + "\(Format.count(decoderParameters)) of them in decoder layers, \(Format.bytes(weightBytes))",
      "workers    \(workersText)",
    ]
    if let compute, let workerBytes, let scratchBytes, let statisticsBytes {
      lines.append(
        "data       \(samples) samples, \(tokens) tokens in \(leaves) leaves, \(units) tasks; \(compute)"
      )
      lines.append(
        "memory     up to \(Format.bytes(workerBytes)) per worker (\(memoryThreads) threads; "
          + "activations \(Format.bytes(scratchBytes)), statistics \(Format.bytes(statisticsBytes))) "
          + "besides the mapped weights")
      lines.append("network    up to \(Format.bytes(reportBytes)) of results")
      if let secondMomentsBytes {
        lines.append("disk       \(Format.bytes(secondMomentsBytes)) of second moments, which stay")
      }
      if let temporaryBytes {
        lines.append(
          "temporary  up to \(Format.bytes(temporaryBytes)) on a worker's disk (TMPDIR), of residual "
            + "streams and sums")
      }
    }
    lines += shipping.map { "copying    \($0)" }
    lines += commands.map { "command    \($0)" }
    return lines.joined(separator: "\n")
  }
}
