internal import Checkpoint
internal import Export
internal import FlapCore
internal import Journal
internal import Statistics
internal import Storage
public import SystemPackage

/// `flap-coord calibrate`: statistics of a model over samples, into a file.
public struct CalibrationRun: Sendable {
  let model: FilePath
  let calibration: FilePath
  let output: FilePath
  let forward: ForwardOptions
  let cluster: ClusterOptions

  public init(
    model: FilePath, calibration: FilePath, output: FilePath, forward: ForwardOptions,
    cluster: ClusterOptions
  ) {
    self.model = model
    self.calibration = calibration
    self.output = output
    self.forward = forward
    self.cluster = cluster
  }

  public func run(_ console: Console) throws {
    let cluster = try ClusterPlan(cluster)
    let inputs = try RunInputs(model: model)
    let pass = try inputs.pass(over: calibration, forward, cluster, console)
    try OutputFile.check(output, inputs: [model, calibration])
    // What is done so far lies beside the file until the file is there.
    var workspace = try RunWorkspace(
      FilePath(output.string + ".run"), journalFolder: "journal",
      identity: RunIdentity(inputs, pass), tree: pass.layout.tree, shape: inputs.shape,
      resuming: cluster.options.resumes, log: console.log)
    let (statistics, peakWorkerBytes) = try workspace.surviving(console) { workspace in
      var session = try ClusterSession(
        inputs, pass, cluster, console, logFolder: workspace.path.appending("logs"),
        chronicle: workspace.chronicle)
      let statistics = try session.guarded { session in
        try session.measure(pass, shape: inputs.shape, &workspace.ledger, console)
      }
      try session.end()
      return (statistics, session.peakWorkerBytes)
    }
    let file = StatisticsFile(statistics, pass: pass, inputs.checkpoint)
    try file.write(to: output)
    try workspace.remove()
    let summary = CalibrationSummary(
      output: output.string, file: file, peakWorkerBytes: peakWorkerBytes)
    try console.show(summary, table: summary.table)
  }

  public func describe(_ console: Console) throws {
    let cluster = try ClusterPlan(cluster)
    let inputs = try RunInputs(model: model)
    let pass = try inputs.pass(over: calibration, forward, cluster, console)
    let summary = try DryRunSummary(inputs, pass, cluster)
    try console.show(summary, table: summary.table)
  }
}

extension StatisticsFile {
  init(_ statistics: ModelStatistics, pass: SampledPass, _ checkpoint: Checkpoint) {
    self.init(
      statistics: statistics, shape: pass.shape,
      modelDigest: checkpoint.digest, dataDigest: pass.tokens.digest, compute: pass.compute,
      modelType: checkpoint.configuration.modelType)
  }
}

/// A file that a command is to write: refused early where it could not be written late.
enum OutputFile {
  /// - Parameter inputs: files and folders that the command reads, none of which it may overwrite;
  ///   a GGUF file may go into a model's folder, and again.
  static func check(_ path: FilePath, inputs: [FilePath]) throws {
    if let existing = Folder.resolved(path), existing.extension != "gguf" {
      for input in inputs {
        guard let input = Folder.resolved(input), existing.starts(with: input) else { continue }
        throw UsageError(
          "--output \(path) is, or lies in, what this command reads: choose another file")
      }
    }
    let folder = path.removingLastComponent()
    guard folder.isEmpty || SmallFile.exists(folder) else {
      throw UsageError("--output \(path): the folder \(folder) does not exist")
    }
    // Trying is the only reliable answer; the file is removed again at the end of this scope.
    _ = try AtomicFile(destination: path, attempt: "check")
  }
}
