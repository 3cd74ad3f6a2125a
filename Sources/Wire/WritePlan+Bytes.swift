public import FlapCore
internal import Statistics

/// A plan as the frames of a message carry it. Numbers are little-endian: counts u64, values f64.
/// Sizes follow from the model's shape, which both sides read from the same checkpoint, so none are
/// stored.
extension WritePlan {
  /// 1: with baselines, plus 2: with means of experts; then for each layer a bit per group, a bit per
  /// neuron, a bit per expert, with means of experts those of the ones that go, and with baselines the
  /// means of the pruned channels of both taps.
  ///
  /// - Precondition: the plan is one of the shape, with as many baselines as pruned channels, if any,
  ///   and with means of experts where it replaces them.
  public func bytes(shape: ModelShape) -> [UInt8] {
    precondition(
      plan.layers.count == shape.layers.count
        && baselines?.count ?? plan.layers.count == plan.layers.count
        && expertMeans?.count ?? plan.layers.count == plan.layers.count,
      "One entry per layer.")
    var writer = ByteWriter(byteCount: 0)
    let mark = PlanMark(hasBaselines: baselines != nil, hasExpertMeans: expertMeans != nil)
    writer.append(count: mark.number)
    for (index, layer) in plan.layers.enumerated() {
      precondition(
        layer.keptGroups.count == shape.layers[index].keyValueHeadCount
          && layer.keptNeurons.count == shape.layers[index].neuronCount
          && layer.keptExperts.count == shape.layers[index].experts?.count ?? 0,
        "One flag per group, neuron and expert.")
      writer.append(layer.keptGroups)
      writer.append(layer.keptNeurons)
      writer.append(layer.keptExperts)
      let means = expertMeans?[index] ?? []
      precondition(
        means.count == (layer.replacesExperts ? layer.removedExperts.count : 0)
          && means.allSatisfy { $0.count == shape.hiddenSize },
        "One mean per replaced expert.")
      for mean in means { writer.append(mean) }
      guard let baselines else { continue }
      for tap in Tap.allCases {
        precondition(
          baselines[index][tap].count
            == plan.prunedChannelCount(layer: index, tap: tap, shape: shape),
          "One baseline per pruned channel.")
        writer.append(baselines[index][tap])
      }
    }
    return writer.bytes
  }

  /// - Throws: if the bytes are not as many as the plan asks for, a layer would keep nothing, or
  ///   a baseline is not finite.
  public init(bytes: [UInt8], shape: ModelShape) throws(WireError) {
    var reader = PlanReader(bytes)
    let mark = try reader.mark()
    guard shape.hasExperts || !mark.hasExpertMeans else {
      throw .invalid(field: "mark of baselines", reason: "\(mark.number)")
    }
    self.init(
      plan: PruningPlan(layers: []), baselines: mark.hasBaselines ? [] : nil,
      expertMeans: mark.hasExpertMeans ? [] : nil)
    for (index, layer) in shape.layers.enumerated() {
      let kept = PruningPlan.Layer(
        keptGroups: try reader.flags(layer.keyValueHeadCount),
        keptNeurons: try reader.flags(layer.neuronCount),
        keptExperts: try reader.flags(layer.experts?.count ?? 0),
        replacesExperts: mark.hasExpertMeans && layer.experts != nil)
      guard kept.keptGroups.contains(true), kept.keptNeurons.contains(true) else {
        throw .invalid(field: "plan", reason: "layer \(index) keeps nothing")
      }
      guard kept.keepsWholeExperts else {
        throw .invalid(field: "plan", reason: "layer \(index) keeps experts of several sizes")
      }
      plan.layers.append(kept)
      if mark.hasExpertMeans {
        expertMeans?.append(
          try kept.removedExperts.map { _ throws(WireError) in
            try reader.finite(shape.hiddenSize)
          })
      }
      guard mark.hasBaselines else { continue }
      let plan = plan
      baselines?.append(
        try PerTap { tap throws(WireError) in
          try reader.finite(plan.prunedChannelCount(layer: index, tap: tap, shape: shape))
        })
    }
    try reader.end()
  }
}

extension PruningPlan {
  fileprivate func prunedChannelCount(layer: Int, tap: Tap, shape: ModelShape) -> Int {
    channelsWithoutBias(layer: layer, tap: tap, shape: shape).count { !$0 }
  }
}

extension ByteWriter {
  /// One bit per flag, the first in the lowest bit; the last byte is filled with zeros.
  fileprivate mutating func append(_ flags: [Bool]) {
    var packed = [UInt8](repeating: 0, count: (flags.count + 7) / 8)
    for (index, flag) in flags.enumerated() where flag {
      packed[index / 8] |= 1 << UInt8(index % 8)
    }
    append(packed)
  }
}

/// Which parts a plan has besides what is kept.
private struct PlanMark {
  let hasBaselines: Bool
  let hasExpertMeans: Bool

  init(hasBaselines: Bool, hasExpertMeans: Bool) {
    self.hasBaselines = hasBaselines
    self.hasExpertMeans = hasExpertMeans
  }

  /// nil for what no plan begins with.
  init?(number: Int) {
    guard (0...3).contains(number) else { return nil }
    self.init(hasBaselines: number & 1 != 0, hasExpertMeans: number & 2 != 0)
  }

  var number: Int { (hasBaselines ? 1 : 0) + (hasExpertMeans ? 2 : 0) }
}

/// Takes the parts of a plan, in order.
private struct PlanReader {
  private var reader: ByteReader
  private let byteCount: Int

  init(_ bytes: [UInt8]) {
    reader = ByteReader(bytes)
    byteCount = bytes.count
  }

  mutating func mark() throws(WireError) -> PlanMark {
    let start = reader.offset
    guard let mark = reader.count() else {
      guard byteCount >= start + 8 else { throw tooShort(by: 8) }
      throw .invalid(field: "mark of baselines", reason: "beyond all counts")
    }
    guard let parts = PlanMark(number: mark) else {
      throw .invalid(field: "mark of baselines", reason: "\(mark)")
    }
    return parts
  }

  mutating func flags(_ count: Int) throws(WireError) -> [Bool] {
    guard let bytes = reader.raw((count + 7) / 8) else { throw tooShort(by: (count + 7) / 8) }
    if count % 8 != 0, let last = bytes.last, last >> UInt8(count % 8) != 0 {
      throw .invalid(field: "plan", reason: "flags beyond the last")
    }
    return (0..<count).map { bytes[bytes.startIndex + $0 / 8] >> UInt8($0 % 8) & 1 == 1 }
  }

  mutating func finite(_ count: Int) throws(WireError) -> [Double] {
    guard let values = reader.values(count) else { throw tooShort(by: 8 * count) }
    guard let wrong = values.first(where: { !$0.isFinite }) else { return values }
    throw .invalid(field: "baseline", reason: "\(wrong)")
  }

  func end() throws(WireError) {
    guard reader.isAtEnd else {
      throw .payloadByteCount(of: "plan", expected: reader.offset, found: byteCount)
    }
  }

  private func tooShort(by count: Int) -> WireError {
    .payloadByteCount(of: "plan", expected: reader.offset + count, found: byteCount)
  }
}
