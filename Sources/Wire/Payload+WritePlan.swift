public import FlapCore

extension Payload {
  /// 1 or 0: with baselines or without; then for each layer a bit per group, a bit per neuron
  /// and, with baselines, the means of the pruned channels of both taps.
  ///
  /// - Precondition: the plan is one of the shape, and there are as many baselines as pruned
  ///   channels, or none at all.
  public static func encode(_ writePlan: WritePlan, shape: ModelShape) -> [UInt8] {
    let plan = writePlan.plan
    precondition(
      plan.layers.count == shape.layers.count && writePlan.baselines.count == plan.layers.count,
      "One entry per layer.")
    let hasBaselines = writePlan.baselines.contains { baselines in
      Tap.allCases.contains { !baselines[$0].isEmpty }
    }
    var writer = PayloadWriter(byteCount: 0)
    writer.append(count: hasBaselines ? 1 : 0)
    for (index, layer) in plan.layers.enumerated() {
      precondition(
        layer.keptGroups.count == shape.layers[index].keyValueHeadCount
          && layer.keptNeurons.count == shape.layers[index].intermediateSize,
        "One flag per group and neuron.")
      writer.append(layer.keptGroups)
      writer.append(layer.keptNeurons)
      guard hasBaselines else { continue }
      for tap in Tap.allCases {
        let baselines = writePlan.baselines[index][tap]
        precondition(
          baselines.count == plan.prunedChannelCount(layer: index, tap: tap, shape: shape),
          "One baseline per pruned channel.")
        writer.append(baselines)
      }
    }
    return writer.bytes
  }

  /// - Throws: if the bytes are not as many as the plan asks for, a layer would keep nothing, or
  ///   a baseline is not finite.
  public static func decodePlan(
    _ bytes: [UInt8], shape: ModelShape
  ) throws(WireError) -> WritePlan {
    var reader = PayloadReader(bytes, name: "plan")
    let hasBaselines = try reader.count("mark of baselines")
    guard (0...1).contains(hasBaselines) else {
      throw .invalid(field: "mark of baselines", reason: "\(hasBaselines)")
    }
    var decoded = WritePlan(plan: PruningPlan(layers: []), baselines: [])
    for (index, layer) in shape.layers.enumerated() {
      let kept = PruningPlan.Layer(
        keptGroups: try reader.flags(layer.keyValueHeadCount),
        keptNeurons: try reader.flags(layer.intermediateSize))
      guard kept.keptGroups.contains(true), kept.keptNeurons.contains(true) else {
        throw .invalid(field: "plan", reason: "layer \(index) keeps nothing")
      }
      decoded.plan.layers.append(kept)
      var baselines = WritePlan.Baselines()
      if hasBaselines == 1 {
        baselines.attentionOutput = try finite(
          &reader,
          decoded.plan.prunedChannelCount(layer: index, tap: .attentionOutput, shape: shape))
        baselines.mlpDown = try finite(
          &reader, decoded.plan.prunedChannelCount(layer: index, tap: .mlpDown, shape: shape))
      }
      decoded.baselines.append(baselines)
    }
    try reader.end()
    return decoded
  }

  private static func finite(
    _ reader: inout PayloadReader, _ count: Int
  ) throws(WireError) -> [Double] {
    let values = try reader.values(count)
    guard let wrong = values.first(where: { !$0.isFinite }) else { return values }
    throw .invalid(field: "baseline", reason: "\(wrong)")
  }
}

extension PruningPlan {
  fileprivate func prunedChannelCount(layer: Int, tap: Tap, shape: ModelShape) -> Int {
    keptChannels(layer: layer, tap: tap, shape: shape).count { !$0 }
  }
}
