internal import Kernels
public import Statistics
public import Transformer

/// Gathers `ExpertMoments`. One thread shows some neurons of an expert for all of its tokens, in their
/// order, so the bits do not depend on who gathered them.
public final class ExpertMomentsGatherer: TapGatherer, @unchecked Sendable {
  // Unchecked for the scratch: a lane writes to its own, and there no two threads to the same neurons.

  /// Of each lane Σ x and behind it Σ x², f64 [experts, neurons] each.
  private let lanes: [ScratchBuffer]
  private let capacity: Int
  private let values = GatheredValues<ExpertMoments>()

  public init(_ limits: ObserverLimits) throws {
    capacity = limits.experts?.neurons ?? 0
    lanes = try (0..<limits.laneCount).map { _ in
      try ScratchBuffer(byteCount: ExpertMomentsGatherer.laneBytes(limits))
    }
  }

  private static func laneBytes(_ limits: ObserverLimits) -> Int {
    ScratchBuffer.roundedByteCount(limits.experts.map { $0.neurons * 16 } ?? 0)
  }

  public static func byteCount(_ limits: ObserverLimits) -> Int {
    limits.laneCount * laneBytes(limits)
  }

  public func observe(_: TapPiece) {}

  public func observe(neurons piece: ExpertPiece) {
    let sums = sums(piece.lane) + piece.expert * piece.width + piece.channels.lowerBound
    let squares = sums + capacity
    let count = piece.channels.count
    // What an earlier leaf left.
    if piece.visits.lowerBound == 0 {
      sums.update(repeating: 0, count: count)
      squares.update(repeating: 0, count: count)
    }
    for index in 0..<piece.visits.count {
      let values = piece.values + index * piece.stride
      for channel in 0..<count {
        let value = Double(values[channel])
        sums[channel] += value
        squares[channel] += value * value
      }
    }
  }

  public func finish(_ passage: TapPassage) {
    guard let experts = passage.experts else {
      return values.put(ExpertMoments(sums: [], squareSums: []), of: passage)
    }
    let (lane, width) = (sums(passage.lane), experts.neurons)
    var sums = [Double](repeating: 0, count: experts.expertCount * width)
    var squares = sums
    for (expert, visits) in experts.routing.visits.enumerated()
    where !visits.isEmpty && !experts.routing.isReplaced(expert) {
      for index in expert * width..<(expert + 1) * width {
        sums[index] = lane[index]
        squares[index] = lane[capacity + index]
      }
    }
    values.put(ExpertMoments(sums: sums, squareSums: squares), of: passage)
  }

  public func take(_ passage: TapPassage) -> ExpertMoments {
    guard let moments = values.take(passage) else {
      preconditionFailure("the moments of a passage are taken once, after its end")
    }
    return moments
  }

  private func sums(_ lane: Int) -> UnsafeMutablePointer<Double> {
    lanes[lane].bytes.assumingMemoryBound(to: Double.self)
  }
}
