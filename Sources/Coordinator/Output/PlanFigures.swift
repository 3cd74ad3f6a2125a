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

  static let heading = ["removed", "groups", "neurons", "parameters", "16-bit", "FLOPs/token"]

  var row: [String] {
    [
      Format.percent(ratioReached), "\(keptGroups.reduce(0, +))", "\(keptNeurons.reduce(0, +))",
      Format.count(parameters), Format.bytes(halfPrecisionBytes), Format.count(flopsPerToken),
    ]
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
  /// As of one plan.
  let excludedLayers: [Int]?
  let attentionRatio: Double?
  let mlpRatio: Double?
  private let sparingText: String?

  private enum CodingKeys: String, CodingKey {
    case metric, structure, dense, plans, excludedLayers, attentionRatio, mlpRatio
  }

  init(_ search: SearchOptions, dense shape: ModelShape, plans: [Entry]) {
    metric = search.metric.rawValue
    structure = search.search.structure.rawValue
    dense = PlanFigures(dense: shape)
    self.plans = plans
    let sparing = search.search.sparing
    excludedLayers = sparing.layers.isEmpty ? nil : sparing.layers.sorted()
    attentionRatio = sparing.ratio(of: .attentionOutput)
    mlpRatio = sparing.ratio(of: .mlpDown)
    sparingText = sparing.text
  }

  /// - Parameter width: columns of the terminal; nil: any.
  func table(_ width: Int?) -> String {
    let predicts = plans.contains { $0.predictedLoss != nil }
    var table = Table(PlanFigures.heading + (predicts ? ["nats lost"] : []))
    table.add("dense", dense.row + (predicts ? [""] : []))
    for plan in plans {
      let loss = plan.predictedLoss.map { String(format: "%.4f", $0) } ?? ""
      table.add(
        plan.figures.ratioAsked.map { "\($0)" } ?? "", plan.figures.row + (predicts ? [loss] : []))
    }
    var lines = [table.text(width), "\(metric) \(structure)"]
    if let sparingText { lines.append(sparingText) }
    lines += plans.compactMap { $0.output.map { "→ \($0)" } }
    return lines.joined(separator: "\n")
  }
}
