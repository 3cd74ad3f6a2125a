internal import Checkpoint
internal import Export
internal import FlapCore
internal import Journal
internal import Logging
internal import Statistics
internal import Storage
public import SystemPackage

/// `flap-coord calibrate`: statistics of a model over samples, into a file.
public struct CalibrationRun: Sendable {
  let model: FilePath
  let calibration: FilePath
  let output: FilePath
  let secondMoments: FilePath?
  let forward: ForwardOptions
  let cluster: ClusterOptions

  /// - Parameter secondMoments: where the sums for least squares go; nil: they are not measured.
  public init(
    model: FilePath, calibration: FilePath, output: FilePath, secondMoments: FilePath?,
    forward: ForwardOptions,
    cluster: ClusterOptions
  ) {
    self.model = model
    self.calibration = calibration
    self.output = output
    self.secondMoments = secondMoments
    self.forward = forward
    self.cluster = cluster
  }

  public func run(_ console: Console) throws {
    let cluster = try ClusterPlan(cluster)
    let inputs = try RunInputs(model: model)
    let pass = try inputs.pass(
      over: calibration, forward, cluster, sumsProducts: secondMoments != nil, console)
    // What is done so far lies beside the file until the file is there.
    let place = RunWorkspace.Place.beside(output)
    let pairs = try secondMoments.map { _ in try SecondMomentsPass(inputs, pass) }
    if cluster.options.resumes, try isComplete(place, inputs, pass, console) { return }
    try OutputFile.check(output, inputs: [model, calibration])
    try secondMoments.map { try OutputFile.check($0, inputs: [model, calibration, output]) }
    var workspace = try RunWorkspace(
      place, identity: RunIdentity(inputs, pass), tree: pass.layout.tree, shape: inputs.shape,
      resuming: cluster.options.resumes, log: console.log)
    let (statistics, peakWorkerBytes) = try workspace.surviving(console) { workspace in
      var session = try ClusterSession(
        inputs, pass, cluster, console, kernels: workspace.kernels,
        logFolder: place.logPath, reference: workspace.reference(inputs.checkpoint),
        chronicle: workspace.chronicle)
      let statistics = try session.guarded { session in
        let statistics = try session.measure(
          pass, shape: inputs.shape, &workspace.ledger, console)
        if let pairs, let secondMoments {
          try pairs.run(statistics, to: secondMoments, &session, &workspace.ledger, console)
        }
        _ = try session.reference.finish()
        return statistics
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

  /// Whether the file is there already, so that `--resume` has nothing to do.
  ///
  /// It says of itself of which model, data and format of products it is; by which version and
  /// with which --tokens-per-leaf it was made nobody can tell.
  ///
  /// - Throws: ``JournalError/otherRun(_:_:)`` when it is the result of another run.
  private func isComplete(
    _ place: RunWorkspace.Place, _ inputs: RunInputs, _ pass: SampledPass, _ console: Console
  ) throws -> Bool {
    guard !place.hasJournal, SmallFile.exists(output),
      secondMoments.map(SmallFile.exists) ?? true,
      let file = try? StatisticsFile(path: output)
    else { return false }
    let asked = RunIdentity(inputs, pass)
    let differences = asked.differences(from: RunIdentity(asked, of: file))
    guard differences.isEmpty else { throw JournalError.otherRun(output.string, differences) }
    RunWorkspace.removeScraps(place)
    console.log.notice("\(output) is complete: there is nothing to resume")
    return true
  }

  public func describe(_ console: Console) throws {
    let cluster = try ClusterPlan(cluster)
    let inputs = try RunInputs(model: model)
    let pass = try inputs.pass(
      over: calibration, forward, cluster, sumsProducts: secondMoments != nil, console)
    let summary = try DryRunSummary(inputs, pass, cluster)
    try console.show(summary, table: summary.table)
  }
}

extension StatisticsFile {
  init(_ statistics: ModelStatistics, pass: SampledPass, _ checkpoint: Checkpoint) {
    self.init(
      statistics: statistics, shape: pass.shape,
      modelDigest: checkpoint.digest, dataDigest: pass.tokens.digest, compute: pass.compute,
      modelType: checkpoint.configuration.modelType, fullDigest: checkpoint.fullDigest)
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
