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
  let method: PruningMethod
  let secondMoments: FilePath?
  let askedOfExperts: Set<StatisticSource>
  let forward: ForwardOptions
  let cluster: ClusterOptions

  /// - Parameters:
  ///   - method: that the statistics are to serve.
  ///   - secondMoments: the folder for the sums of least squares; nil: beside the statistics where the
  ///     method needs them, else they are not measured.
  ///   - measuresExpertOutputs: whether the means that can take the places of experts are measured, too.
  ///   - measuresExpertNeurons: the same of the moments of experts' neurons; the method may need them.
  public init(
    model: FilePath, calibration: FilePath, output: FilePath, method: PruningMethod,
    secondMoments: FilePath?, measuresExpertOutputs: Bool = false,
    measuresExpertNeurons: Bool = false,
    forward: ForwardOptions,
    cluster: ClusterOptions
  ) {
    var asked: Set<StatisticSource> = []
    if measuresExpertOutputs { asked.insert(.expertOutputs) }
    if measuresExpertNeurons { asked.insert(.expertNeurons) }
    askedOfExperts = asked
    self.model = model
    self.calibration = calibration
    self.output = output
    self.method = method
    self.secondMoments =
      secondMoments ?? (method.mapKinds.isEmpty ? nil : CalibrationRun.besides(output))
    self.forward = forward
    self.cluster = cluster
  }

  /// `stats.safetensors` → `stats-second-moments`, a folder.
  private static func besides(_ output: FilePath) -> FilePath {
    guard let name = output.lastComponent else { return output }
    return output.removingLastComponent().appending("\(name.stem)-second-moments")
  }

  public func run(_ console: Console) throws {
    guard let summary = try measure(console) else { return }
    try console.show(summary, isInFiles: true, table: summary.table)
  }

  /// - Returns: nil where it was there already.
  func measure(_ console: Console) throws -> CalibrationSummary? {
    let cluster = try ClusterPlan(cluster)
    try checkSharing(cluster)
    let inputs = try RunInputs(model: model, console.log)
    let pass = try pass(inputs, cluster, console)
    // What is done so far lies beside the file until the file is there.
    let place = RunWorkspace.Place.beside(output)
    let pairs = try secondMoments.map { _ in try SecondMomentsPass(inputs, pass, cluster) }
    if cluster.options.resumes, try isComplete(place, inputs, pass, console) { return nil }
    try OutputFile.check(output, inputs: [model, calibration])
    try secondMoments.map { try OutputFile.check($0, inputs: [model, calibration, output]) }
    var workspace = try RunWorkspace(
      place, identity: RunIdentity(inputs, pass), tree: pass.layout.tree, shape: inputs.shape,
      resuming: cluster.options.resumes, log: console.log)
    if let secondMoments, !workspace.isResumed {
      // What lies there may be of other samples: from here on a map's file is this run's.
      for place in TapPlace.all(in: inputs.shape.layers.indices) {
        Folder.removeFile(SecondMomentsFolder.path(of: place, in: secondMoments))
      }
    }
    let (statistics, peakWorkerBytes) = try workspace.surviving(console) { workspace in
      var session = try ClusterSession(
        inputs, pass, cluster, console, kernels: workspace.kernels,
        logFolder: place.logPath, reference: workspace.reference(inputs.checkpoint),
        chronicle: workspace.chronicle)
      let statistics = try session.guarded { session in
        var statistics = try session.measure(
          pass, shape: inputs.shape, &workspace.ledger, console)
        if let pairs, let secondMoments {
          try pairs.run(
            statistics, to: secondMoments, refuge: place.path.appending("sums"), &session,
            &workspace.ledger, console)
          try MapsPass(pass: pass, kinds: method.mapKinds).run(
            &statistics, from: secondMoments, &session, &workspace.ledger, console)
        }
        _ = try session.finishReference()
        return statistics
      }
      try session.end()
      return (statistics, session.peakWorkerBytes)
    }
    let file = StatisticsFile(statistics, pass: pass, inputs.checkpoint)
    try file.write(to: output)
    try workspace.remove()
    return CalibrationSummary(
      output: output.string, file: file, peakWorkerBytes: peakWorkerBytes)
  }

  private func pass(
    _ inputs: RunInputs, _ cluster: ClusterPlan, _ console: Console
  ) throws -> SampledPass {
    // Second moments are scaled by the first ones.
    let scales: Set<StatisticSource> =
      inputs.shape.hasExperts && secondMoments != nil ? [.expertNeurons] : []
    return try inputs.pass(
      over: calibration, forward, cluster, sumsProducts: secondMoments != nil,
      askedOfExperts: askedOfExperts.union(scales), console)
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
      secondMoments.map({ (try? SecondMomentsFolder(path: $0)) != nil }) ?? true,
      let file = try? StatisticsFile(path: output),
      (method.mapKinds + pass.tapKinds).allSatisfy({ file.statistics[$0] != nil })
    else { return false }
    let asked = RunIdentity(inputs, pass)
    let differences = asked.differences(from: RunIdentity(asked, of: file))
    guard differences.isEmpty else { throw JournalError.otherRun(output.string, differences) }
    RunWorkspace.removeScraps(place)
    console.log.notice("\(output) is complete: there is nothing to resume")
    return true
  }

  /// Who measures maps reads the second moments.
  private func checkSharing(_ cluster: ClusterPlan) throws {
    guard cluster.options.gathers, !method.mapKinds.isEmpty, let secondMoments else { return }
    throw UsageError(
      "--method \(method.rawValue) reads \(secondMoments) on every host: leave out --gather, and give "
        + "an --output that all of them share")
  }

  public func describe(_ console: Console) throws {
    let cluster = try ClusterPlan(cluster)
    try checkSharing(cluster)
    let inputs = try RunInputs(model: model, console.log)
    let pass = try pass(inputs, cluster, console)
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
  /// - Parameters:
  ///   - inputs: files and folders that the command reads, none of which it may overwrite; a GGUF file
  ///     may go into a model's folder, and again.
  ///   - option: that names the file.
  static func check(
    _ path: FilePath, inputs: [FilePath], option: String = "--output"
  ) throws {
    if let existing = Folder.resolved(path), existing.extension != "gguf" {
      for input in inputs {
        guard let input = Folder.resolved(input), existing.starts(with: input) else { continue }
        throw UsageError(
          "\(option) \(path) is, or lies in, what this command reads: choose another file")
      }
    }
    let folder = path.removingLastComponent()
    guard folder.isEmpty || SmallFile.exists(folder) else {
      throw UsageError("\(option) \(path): the folder \(folder) does not exist")
    }
    // Trying is the only reliable answer; the file is removed again at the end of this scope.
    _ = try AtomicFile(destination: path, attempt: "check")
  }
}
