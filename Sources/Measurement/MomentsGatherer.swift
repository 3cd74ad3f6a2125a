internal import Kernels
public import Statistics
public import Transformer

/// Gathers `ChannelMoments`: in segments, by several threads at once. The segments are merged in
/// their order, so the bits do not depend on who gathered them.
public final class MomentsGatherer: TapGatherer, @unchecked Sendable {
  // Unchecked for the scratch: a lane writes to its own, and there no two threads to the same
  // channels of a segment.

  /// Of one lane: means and M2, f64 [segments, channels] each.
  private struct Partial {
    let means: ScratchBuffer
    let m2s: ScratchBuffer

    init(_ limits: ObserverLimits) throws(OutOfMemory) {
      means = try ScratchBuffer(byteCount: limits.segmentChannels * 8)
      m2s = try ScratchBuffer(byteCount: limits.segmentChannels * 8)
    }
  }

  private let capacity: Int
  private let lanes: [Partial]
  private let values = GatheredValues<ChannelMoments>()

  public init(_ limits: ObserverLimits) throws {
    capacity = limits.segmentChannels
    lanes = try (0..<limits.laneCount).map { _ in try Partial(limits) }
  }

  public static func byteCount(_ limits: ObserverLimits) -> Int {
    limits.laneCount * 2 * ScratchBuffer.roundedByteCount(limits.segmentChannels * 8)
  }

  public func observe(_ piece: TapPiece) {
    precondition((piece.segment + 1) * piece.width <= capacity, "room was made for fewer segments")
    let offset = piece.segment * piece.width + piece.channels.lowerBound
    let mean = doubles(lanes[piece.lane].means) + offset
    let m2 = doubles(lanes[piece.lane].m2s) + offset
    let count = piece.channels.count
    guard piece.seenCount > 0 else { return measure(piece, mean, m2) }
    withUnsafeTemporaryAllocation(of: Double.self, capacity: 2 * count) { fresh in
      let fresh = fresh.baseAddress!
      measure(piece, fresh, fresh + count)
      ChannelMoments.merge(
        piece.seenCount, mean, m2, rightCount: piece.tokenCount, fresh, fresh + count,
        channelCount: count)
    }
  }

  private func measure(
    _ piece: TapPiece, _ mean: UnsafeMutablePointer<Double>, _ m2: UnsafeMutablePointer<Double>
  ) {
    ColumnMoments.measure(
      block: piece.values, stride: piece.stride, rows: piece.tokenCount,
      channels: piece.channels.count, mean: mean, m2: m2)
  }

  public func finish(_ passage: TapPassage) {
    let mean = doubles(lanes[passage.lane].means)
    let m2 = doubles(lanes[passage.lane].m2s)
    var count = 0
    for (segment, segmentCount) in passage.segmentCounts.enumerated() {
      defer { count += segmentCount }
      guard segment > 0 else { continue }
      ChannelMoments.merge(
        count, mean, m2, rightCount: segmentCount, mean + segment * passage.width,
        m2 + segment * passage.width, channelCount: passage.width)
    }
    let moments = ChannelMoments(
      count: count, mean: Array(UnsafeBufferPointer(start: mean, count: passage.width)),
      m2: Array(UnsafeBufferPointer(start: m2, count: passage.width)))
    values.put(moments, of: passage)
  }

  public func take(_ passage: TapPassage) -> ChannelMoments {
    guard let moments = values.take(passage) else {
      preconditionFailure("the moments of a passage are taken once, after its end")
    }
    return moments
  }

  private func doubles(_ buffer: ScratchBuffer) -> UnsafeMutablePointer<Double> {
    buffer.bytes.assumingMemoryBound(to: Double.self)
  }
}
