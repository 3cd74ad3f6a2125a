internal import ArgumentParser
internal import Checkpoint
internal import Chronicle
internal import FlapCore
internal import Foundation
internal import Host
internal import Report
internal import Statistics
internal import SystemPackage

/// `--eval`: perplexity of the dense and of the pruned model, when a checkpoint has been written.
///
/// Workers of this machine do it: the pruned folder is here, wherever the others are.
struct ComparedEvaluation {
  private let data: FilePath
  private let pass: SampledPass
  private let forward: ForwardOptions
  private let cluster: ClusterPlan

  /// Opens and checks the data, before any long work begins.
  init(
    _ data: FilePath, _ dense: RunInputs, _ calibration: ForwardOptions, _ cluster: ClusterOptions,
    _ console: Console
  ) throws {
    guard data != "-" else {
      throw UsageError("the dense and the pruned model read the same data: give --eval a file")
    }
    self.data = data
    self.cluster = try ComparedEvaluation.cluster(cluster)
    var forward = try ComparedEvaluation.forward(calibration)
    if data.extension != "npy" {
      forward.text.sequenceLength = calibration.text.sequenceLength
      forward.text.field = calibration.text.field
      forward.text.keepsLineEnds = calibration.text.keepsLineEnds
    } else if calibration.text.padID != nil {
      forward.text.padID = calibration.text.padID
      forward.text.sequenceLength = calibration.text.sequenceLength
    }
    self.forward = forward
    pass = try dense.evaluationPass(over: data, forward, self.cluster, console)
  }

  /// Workers of this machine; all else as without any option.
  static func cluster(_ cluster: ClusterOptions) throws -> ClusterPlan {
    var options = try ClusterOptions.parse([])
    options.launcher = .local
    options.localWorkerCount = cluster.hostsFile == nil ? cluster.localWorkerCount : nil
    options.threadsPerWorker = cluster.threadsPerWorker
    options.numa = cluster.numa
    options.workerProgram = cluster.hostsFile == nil ? cluster.workerProgram : nil
    return try ClusterPlan(options)
  }

  static func forward(_ calibration: ForwardOptions) throws -> ForwardOptions {
    var forward = try ForwardOptions.parse([])
    forward.compute = calibration.compute
    return forward
  }

  /// SHA-256 of the samples.
  var dataDigest: Digest { pass.tokens.digest }

  /// - Parameter phases: gets those of the evaluation.
  func run(
    dense: RunInputs, pruned folder: FilePath, _ phases: inout [PruningReport.Phase],
    _ chronicle: Chronicle, _ interruption: Interruption, _ console: Console
  ) throws -> PruningReport.Evaluation {
    let pruned = try RunInputs(model: folder)
    let prunedPass = try pruned.evaluationPass(over: data, forward, cluster, console)
    func loss(_ inputs: RunInputs, _ pass: SampledPass, _ name: String) throws -> LossSum {
      let start = ContinuousClock.now
      let loss = try inputs.loss(over: pass, of: name, cluster, chronicle, interruption, console)
      let units = pass.layout.tree.nodeCount(atLevel: pass.unitLevel)
      phases.append(
        PruningReport.Phase(
          name: "evaluation, \(name)", taskCount: units,
          seconds: (.now - start) / .seconds(1)))
      return loss
    }
    let denseLoss = try loss(dense, pass, "dense")
    let prunedLoss = try loss(pruned, prunedPass, "pruned")
    return PruningReport.Evaluation(
      data: PruningReport.DataSet(data, pass), predictedTokenCount: denseLoss.tokenCount,
      densePerplexity: denseLoss.perplexity, prunedPerplexity: prunedLoss.perplexity)
  }
}

extension RunInputs {
  /// A pass that predicts: samples have a next token.
  func evaluationPass(
    over data: FilePath, _ options: ForwardOptions, _ cluster: ClusterPlan, stride: Int? = nil,
    _ console: Console
  ) throws -> SampledPass {
    let pass = try pass(
      over: data, options, cluster, order: .consecutive, stride: stride, console)
    guard pass.tokens.tokensPerSample > 1 else {
      throw UsageError("\(data): samples of one token predict nothing; give longer ones")
    }
    return pass
  }

  /// Has workers compute the mean negative log-likelihood of the samples.
  ///
  /// - Parameter name: of the model, for people.
  func loss(
    over pass: SampledPass, of name: String, _ cluster: ClusterPlan, _ chronicle: Chronicle,
    _ interruption: Interruption, _ console: Console
  ) throws -> LossSum {
    var session = try ClusterSession(
      self, pass, cluster, console, chronicle: chronicle, interruption: interruption)
    let loss = try session.guarded { session in
      let meter = console.meter("evaluation", unit: "tokens", total: Double(pass.tokenCount))
      return try session.evaluate(pass, shape: shape, meter: meter.part(0, 1, of: name))
    }
    try session.end()
    return loss
  }
}
