internal import Checkpoint
internal import Chronicle
internal import FlapCore
internal import Host
internal import Report
internal import SystemPackage

/// `--tasks` of a pruning run: how well the dense and the pruned model answer questions, when a
/// checkpoint has been written. Workers of this machine do it, as of ``ComparedEvaluation``.
struct ComparedTasks {
  private let options: TaskOptions
  private let pass: QuestionPass
  private let forward: ForwardOptions
  private let cluster: ClusterPlan

  /// Opens and checks the questions, before any long work begins.
  ///
  /// - Returns: nil where there are none.
  init?(
    _ options: TaskOptions, _ dense: RunInputs, _ calibration: ForwardOptions,
    _ cluster: ClusterOptions, _ console: Console
  ) throws {
    self.cluster = try ComparedEvaluation.cluster(cluster)
    forward = try ComparedEvaluation.forward(calibration)
    guard let pass = try options.pass(dense, forward, self.cluster, console) else { return nil }
    self.options = options
    self.pass = pass
  }

  /// SHA-256 of the questions.
  var digest: Digest { pass.digest }

  /// - Parameter phases: gets those of the questions.
  func run(
    dense: RunInputs, pruned folder: FilePath, _ phases: inout [PruningReport.Phase],
    _ chronicle: Chronicle, _ interruption: Interruption, _ console: Console
  ) throws -> ComparedTasksSummary {
    let pruned = try RunInputs(model: folder)
    guard let prunedPass = try options.pass(pruned, forward, cluster, console) else {
      preconditionFailure("the dense model had questions")
    }
    func answers(
      _ inputs: RunInputs, _ pass: QuestionPass, _ name: String
    ) throws -> [QuestionPass.Answered] {
      let start = ContinuousClock.now
      var session = try ClusterSession(
        inputs, pass, cluster, console, chronicle: chronicle, interruption: interruption)
      let meter = console.meter("questions", unit: "tokens", total: Double(pass.tokenCount))
        .part(0, 1, of: name)
      let answers = try session.guarded { try $0.answer(pass, meter: meter) }
      try session.end()
      phases.append(
        PruningReport.Phase(
          name: "questions, \(name)", taskCount: pass.work(by: nil).count,
          seconds: (.now - start) / .seconds(1)))
      return answers
    }
    let all = [
      try answers(dense, pass, "dense"), try answers(pruned, prunedPass, "pruned"),
    ]
    try options.write(all, names: ["dense", "pruned"])
    return ComparedTasksSummary(
      digest: digest.hexadecimal, dense: TaskSummary(all[0]), pruned: TaskSummary(all[1]))
  }
}
