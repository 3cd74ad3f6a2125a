internal import CFlapMessages
internal import Coordination
internal import FlapCore
internal import Statistics

/// The checks of what is asked about sums.
enum SumChecks {
  static func work(
    _ pointer: UnsafeMutablePointer<Flap__SumWork>?, _ frames: [[UInt8]]
  ) throws(WireError) -> SumWork {
    guard let work = pointer?.pointee else { throw .missing(field: "sums") }
    let folder = try FieldChecks.text(work.folder, "folder of sums")
    return SumWork(
      try inputs(work), try WorkUnitChecks.unit(work.unit, frames),
      round: try FieldChecks.count(work.round, "number of a round"),
      folder: folder.isEmpty ? nil : folder)
  }

  private static func inputs(_ work: Flap__SumWork) throws(WireError) -> SumWork.Inputs {
    guard work.layer_count == 0 else {
      let first = try FieldChecks.count(
        work.first_layer, "layer", atMost: Limits.layerCount - 1)
      let count = try FieldChecks.count(
        work.layer_count, "count of layers", atMost: Limits.layerCount - first)
      return .dense(layers: first..<first + count)
    }
    return .pruned(
      try FieldChecks.place(layer: work.first_layer, tap: work.tap),
      plan: try FieldChecks.digest(work.plan_digest, "digest of the plan"))
  }

  static func merge(
    _ pointer: UnsafeMutablePointer<Flap__SumMerge>?, _ frames: [[UInt8]]
  ) throws(WireError) -> SumMerge {
    guard let merge = pointer?.pointee else { throw .missing(field: "sums") }
    let scaleCount = try FieldChecks.count(
      merge.scale_count, "count of scales", atMost: Limits.dimension)
    let sourceCount = try FieldChecks.count(merge.source_count, "count of sources")
    let bytes = RawFrames.joinBytes(frames)
    guard scaleCount <= bytes.count else {
      throw .rawByteCount(of: "scales", expected: scaleCount, found: bytes.count)
    }
    let exponents = bytes.prefix(scaleCount).map { Int8(bitPattern: $0) }
    guard exponents.allSatisfy({ $0.magnitude <= ChannelScales.limit }) else {
      throw .invalid(field: "scale", reason: "its exponent is too large")
    }
    let origin: SumMerge.Origin =
      merge.plan_digest.len == 0
      ? .dense(data: try FieldChecks.digest(merge.data_digest, "digest of the data"))
      : .pruned(plan: try FieldChecks.digest(merge.plan_digest, "digest of the plan"))
    return SumMerge(
      try FieldChecks.place(layer: merge.layer, tap: merge.tap), of: origin, exponents: exponents,
      try MergeSources.sources(bytes.dropFirst(scaleCount), count: sourceCount),
      tokenCount: try FieldChecks.count(merge.token_count, "count of tokens"),
      heldOutTokenCount: try FieldChecks.count(
        merge.held_out_token_count, "count of tokens held out"),
      to: try FieldChecks.text(merge.path, "file of sums", mayBeEmpty: false))
  }
}
