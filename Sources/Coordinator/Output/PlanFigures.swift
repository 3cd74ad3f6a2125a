internal import FlapCore
internal import Foundation
internal import Pruning

/// What is left of a model, in numbers.
struct PlanFigures: Encodable {
  /// nil for the dense model.
  let ratioAsked: Double?
  /// Of the decoder layers' parameters.
  let ratioReached: Double
  /// Of all parameters, embeddings and added biases included.
  let ratioWholeModel: Double
  /// Per layer.
  let keptGroups: [Int]
  let keptNeurons: [Int]
  let parameters: Int
  /// Of the parameters at two bytes each.
  let halfPrecisionBytes: Int
  /// Estimated (``FlapCore/ModelShape/operationsPerToken``).
  let flopsPerToken: Int

  /// The dense model's.
  init(dense shape: ModelShape) {
    self.init(
      PruningPlan(keepingAllOf: shape), of: shape, ratioAsked: nil, compensating: false)
  }

  init(_ plan: PruningPlan, of shape: ModelShape, ratioAsked: Double?, compensating: Bool) {
    let pruned = plan.prunedShape(of: shape, compensating: compensating)
    let reached = ReachedRatio(of: plan, for: shape, compensating: compensating)
    self.ratioAsked = ratioAsked
    ratioReached = reached.decoderLayers
    ratioWholeModel = reached.wholeModel
    keptGroups = plan.layers.map(\.keptGroupCount)
    keptNeurons = plan.layers.map(\.keptNeuronCount)
    parameters = pruned.parameterCount
    halfPrecisionBytes = pruned.parameterByteCount(.bfloat16)
    flopsPerToken = pruned.operationsPerToken
  }

  static let heading =
    Format.column("removed", 9) + Format.column("groups", 8) + Format.column("neurons", 10)
    + Format.column("parameters", 12) + Format.column("16-bit", 11)
    + Format.column("FLOPs/token", 13)

  var row: String {
    Format.column(Format.percent(ratioReached), 9)
      + Format.column("\(keptGroups.reduce(0, +))", 8)
      + Format.column("\(keptNeurons.reduce(0, +))", 10)
      + Format.column(Format.count(parameters), 12)
      + Format.column(Format.bytes(halfPrecisionBytes), 11)
      + Format.column(Format.count(flopsPerToken), 13)
  }
}

/// The result of `search` for several ratios.
struct SweepSummary: Encodable {
  struct Entry: Encodable {
    /// nil where none was written.
    let output: String?
    let figures: PlanFigures
    /// Of measured counts, in nats per token; nil for others.
    let predictedLoss: Double?

    func encode(to encoder: any Encoder) throws {
      try figures.encode(to: encoder)
      var container = encoder.container(keyedBy: CodingKeys.self)
      try container.encodeIfPresent(output, forKey: .output)
      try container.encodeIfPresent(predictedLoss, forKey: .predictedLoss)
    }

    private enum CodingKeys: String, CodingKey { case output, predictedLoss }
  }

  let metric: String
  let structure: String
  let dense: PlanFigures
  let plans: [Entry]

  init(_ search: SearchOptions, dense shape: ModelShape, plans: [Entry]) {
    metric = search.metric.rawValue
    structure = search.search.structure.rawValue
    dense = PlanFigures(dense: shape)
    self.plans = plans
  }

  var table: String {
    let losses = plans.contains { $0.predictedLoss != nil } ? Format.column("nats lost", 11) : ""
    var lines = ["ratio   \(PlanFigures.heading)\(losses)", "dense   \(dense.row)"]
    for plan in plans {
      let ratio = plan.figures.ratioAsked.map { "\($0)" } ?? ""
      lines.append(
        Format.leading(ratio, 8) + plan.figures.row
          + (plan.predictedLoss.map { Format.column(String(format: "%.4f", $0), 11) } ?? ""))
    }
    lines.append("\(metric) \(structure)")
    lines += plans.compactMap { $0.output.map { "→ \($0)" } }
    return lines.joined(separator: "\n")
  }
}
