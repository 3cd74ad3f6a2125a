public import FlapCore
internal import Statistics

/// A plan as the frames of a message carry it. Numbers are little-endian: counts u64, values f64.
/// Sizes follow from the model's shape, which both sides read from the same checkpoint, so none are
/// stored.
extension WritePlan {
  /// 1 or 0: with baselines or without; then for each layer a bit per group, a bit per neuron, a bit
  /// per expert and, with baselines, the means of the pruned channels of both taps.
  ///
  /// - Precondition: the plan is one of the shape, with as many baselines as pruned channels, if any.
  public func bytes(shape: ModelShape) -> [UInt8] {
    precondition(
      plan.layers.count == shape.layers.count
        && baselines?.count ?? plan.layers.count == plan.layers.count,
      "One entry per layer.")
    var writer = ByteWriter(byteCount: 0)
    writer.append(count: baselines == nil ? 0 : 1)
    for (index, layer) in plan.layers.enumerated() {
      precondition(
        layer.keptGroups.count == shape.layers[index].keyValueHeadCount
          && layer.keptNeurons.count == shape.layers[index].neuronCount
          && layer.keptExperts.count == shape.layers[index].experts?.count ?? 0,
        "One flag per group, neuron and expert.")
      writer.append(layer.keptGroups)
      writer.append(layer.keptNeurons)
      writer.append(layer.keptExperts)
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
    self.init(plan: PruningPlan(layers: []), baselines: mark ? [] : nil)
    for (index, layer) in shape.layers.enumerated() {
      let kept = PruningPlan.Layer(
        keptGroups: try reader.flags(layer.keyValueHeadCount),
        keptNeurons: try reader.flags(layer.neuronCount),
        keptExperts: try reader.flags(layer.experts?.count ?? 0))
      guard kept.keptGroups.contains(true), kept.keptNeurons.contains(true) else {
        throw .invalid(field: "plan", reason: "layer \(index) keeps nothing")
      }
      guard kept.keepsWholeExperts else {
        throw .invalid(field: "plan", reason: "layer \(index) keeps experts of several sizes")
      }
      plan.layers.append(kept)
      guard mark else { continue }
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
    keptChannels(layer: layer, tap: tap, shape: shape).count { !$0 }
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

/// Takes the parts of a plan, in order.
private struct PlanReader {
  private var reader: ByteReader
  private let byteCount: Int

  init(_ bytes: [UInt8]) {
    reader = ByteReader(bytes)
    byteCount = bytes.count
  }

  mutating func mark() throws(WireError) -> Bool {
    let start = reader.offset
    guard let mark = reader.count() else {
      guard byteCount >= start + 8 else { throw tooShort(by: 8) }
      throw .invalid(field: "mark of baselines", reason: "beyond all counts")
    }
    guard mark <= 1 else { throw .invalid(field: "mark of baselines", reason: "\(mark)") }
    return mark == 1
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
