internal import Kernels
public import Statistics
public import Transformer

/// Gathers ``ChannelMoments``: in parts, by several threads at once. The parts are merged in their
/// order, so the bits do not depend on who gathered them.
public final class MomentsGatherer: TapGatherer, @unchecked Sendable {
  // Unchecked for the scratch: a lane writes to its own, and there no two threads to the same
  // channels of a part.

  /// Of one lane: means and M2, f64 [parts, channels] each.
  private struct Partial {
    let means: ScratchBuffer
    let m2s: ScratchBuffer

    init(_ limits: ObserverLimits) {
      means = ScratchBuffer(byteCount: limits.partChannels * 8)
      m2s = ScratchBuffer(byteCount: limits.partChannels * 8)
    }
  }

  private let capacity: Int
  private let lanes: [Partial]
  private let values = GatheredValues<ChannelMoments>()

  public init(_ limits: ObserverLimits) {
    capacity = limits.partChannels
    lanes = (0..<limits.laneCount).map { _ in Partial(limits) }
  }

  public static func byteCount(_ limits: ObserverLimits) -> Int {
    limits.laneCount * 2 * ScratchBuffer.roundedByteCount(limits.partChannels * 8)
  }

  public func observe(_ piece: TapPiece) {
    precondition((piece.part + 1) * piece.width <= capacity, "room was made for fewer parts")
    let offset = piece.part * piece.width + piece.channels.lowerBound
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
    for (part, partCount) in passage.partCounts.enumerated() {
      defer { count += partCount }
      guard part > 0 else { continue }
      ChannelMoments.merge(
        count, mean, m2, rightCount: partCount, mean + part * passage.width,
        m2 + part * passage.width, channelCount: passage.width)
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
