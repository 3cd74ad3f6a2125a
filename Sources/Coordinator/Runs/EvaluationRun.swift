internal import Checkpoint
internal import Foundation
internal import Statistics
public import SystemPackage

/// `flap-coord eval`: perplexity of a model, dense or pruned.
public struct EvaluationRun: Sendable {
  let model: FilePath
  let data: FilePath
  let forward: ForwardOptions
  let cluster: ClusterOptions

  public init(
    model: FilePath, data: FilePath, forward: ForwardOptions, cluster: ClusterOptions
  ) {
    self.model = model
    self.data = data
    self.forward = forward
    self.cluster = cluster
  }

  public func run(_ console: Console) throws {
    let cluster = try ClusterPlan(cluster)
    let inputs = try RunInputs(model: model)
    let pass = try inputs.evaluationPass(over: data, forward, cluster)
    let loss = try inputs.loss(over: pass, cluster, console)
    let summary = EvaluationSummary(
      perplexity: loss.perplexity, tokens: loss.tokenCount)
    try console.show(
      summary,
      table: String(format: "perplexity %.4f over %d tokens", summary.perplexity, summary.tokens))
  }
}

/// The result of `eval`.
struct EvaluationSummary: Encodable {
  /// exp of the mean negative log-likelihood over tokens 1… of every sample.
  let perplexity: Double
  /// Tokens that were predicted.
  let tokens: Int
}
