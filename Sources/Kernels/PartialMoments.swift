/// Moments of columns that are gathered in parts, by several threads at once; the parts are merged
/// in their order, so the bits do not depend on who gathered them.
public final class PartialMoments {
  /// Channels of all parts that there is room for.
  private let capacity: Int
  private let means: ScratchBuffer
  private let m2s: ScratchBuffer

  /// - Parameter channels: of all parts together.
  public init(channels: Int) {
    capacity = channels
    means = ScratchBuffer(byteCount: capacity * 8)
    m2s = ScratchBuffer(byteCount: capacity * 8)
  }

  public static func byteCount(channels: Int) -> Int {
    2 * ScratchBuffer.roundedByteCount(channels * 8)
  }

  /// Adds rows of a block to some channels of a part.
  ///
  /// - Parameters:
  ///   - part: of parts with `width` channels each.
  ///   - seenCount: rows that were added to these channels of this part before.
  ///   - x: f32 [rows, channels], `stride` from row to row.
  public func add(
    _ x: UnsafePointer<Float>, stride: Int, rows: Int, channels: Range<Int>, toPart part: Int,
    width: Int, seenCount: Int
  ) {
    precondition((part + 1) * width <= capacity, "room was made for fewer parts")
    let mean = values(means, part, width) + channels.lowerBound
    let m2 = values(m2s, part, width) + channels.lowerBound
    guard seenCount > 0 else {
      return ColumnMoments.measure(
        block: x, stride: stride, rows: rows, channels: channels.count, mean: mean, m2: m2)
    }
    withUnsafeTemporaryAllocation(of: Double.self, capacity: 2 * channels.count) { fresh in
      let fresh = fresh.baseAddress!
      ColumnMoments.measure(
        block: x, stride: stride, rows: rows, channels: channels.count, mean: fresh,
        m2: fresh + channels.count)
      ColumnMoments.merge(
        count: seenCount, mean: mean, m2: m2, rightCount: rows, rightMean: fresh,
        rightM2: fresh + channels.count, channels: channels.count)
    }
  }

  /// The parts' moments in one.
  ///
  /// - Parameter counts: rows of each part.
  public func merged(counts: [Int], width: Int) -> ColumnMoments {
    let mean = values(means, 0, width)
    let m2 = values(m2s, 0, width)
    var count = counts[0]
    for part in 1..<counts.count {
      ColumnMoments.merge(
        count: count, mean: mean, m2: m2, rightCount: counts[part],
        rightMean: values(means, part, width), rightM2: values(m2s, part, width), channels: width)
      count += counts[part]
    }
    return ColumnMoments(
      count: count, mean: Array(UnsafeBufferPointer(start: mean, count: width)),
      m2: Array(UnsafeBufferPointer(start: m2, count: width)))
  }

  private func values(
    _ buffer: ScratchBuffer, _ part: Int, _ width: Int
  ) -> UnsafeMutablePointer<Double> {
    buffer.bytes.assumingMemoryBound(to: Double.self) + part * width
  }
}
