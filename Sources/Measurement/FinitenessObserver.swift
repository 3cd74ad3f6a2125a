internal import Synchronization
internal import Transformer

/// Looks for activations that are infinite or not a number.
final class FinitenessObserver: TapObserver {
  /// Where a value is not finite.
  struct Finding {
    let channel: Int
    /// In the leaf.
    let sample: Int
  }

  /// Lanes whose leaf has such a value at the tap at hand.
  private let suspicions: Mutex<Set<Int>> = Mutex([])
  /// The same at a tap of experts: the first channel that has one, and its first row.
  private let expertSuspicions: Mutex<[Int: (channel: Int, row: Int)]> = Mutex([:])
  private let findings = GatheredValues<Finding>()

  func observe(_ piece: TapPiece) {
    guard
      !FinitenessObserver.isFinite(
        piece.values, piece.stride, rows: piece.tokenCount, columns: piece.channels.count)
    else { return }
    suspicions.withLock { _ = $0.insert(piece.lane) }
  }

  func observe(neurons piece: ExpertPiece) {
    let (rows, columns) = (piece.visits.count, piece.channels.count)
    guard !FinitenessObserver.isFinite(piece.values, piece.stride, rows: rows, columns: columns)
    else { return }
    for column in 0..<columns {
      let row = (0..<rows).first { !piece.values[$0 * piece.stride + column].isFinite }
      guard let row else { continue }
      let channel = piece.expert * piece.width + piece.channels.lowerBound + column
      let found = (channel: channel, row: piece.row(ofVisit: piece.visits.lowerBound + row))
      return expertSuspicions.withLock {
        if let known = $0[piece.lane], known < found { return }
        $0[piece.lane] = found
      }
    }
  }

  func finish(_ passage: TapPassage) {
    if passage.experts != nil {
      guard let found = expertSuspicions.withLock({ $0.removeValue(forKey: passage.lane) }) else {
        return
      }
      let sample = passage.sample(ofRow: found.row)
      return findings.put(Finding(channel: found.channel, sample: sample), of: passage)
    }
    guard suspicions.withLock({ $0.remove(passage.lane) }) != nil else { return }
    // What is not finite in f32 is not in an operand, either.
    let tokens = 0..<passage.segmentCounts.reduce(0, +)
    for channel in 0..<passage.width {
      let token = tokens.first { !passage.value(token: $0, channel: channel).isFinite }
      guard let token else { continue }
      let finding = Finding(channel: channel, sample: passage.sample(ofToken: token))
      return findings.put(finding, of: passage)
    }
  }

  /// What was found of a leaf whose passage is finished.
  func take(_ passage: TapPassage) -> Finding? { findings.take(passage) }

  /// Without a way out of the inner loop, so that it vectorizes.
  private static func isFinite(
    _ values: UnsafePointer<Float>, _ stride: Int, rows: Int, columns: Int
  ) -> Bool {
    let exponent: UInt32 = 0x7F80_0000
    var found: UInt32 = 0
    for row in 0..<rows {
      let values = UnsafeRawPointer(values + row * stride)
        .assumingMemoryBound(to: UInt32.self)
      for channel in 0..<columns {
        found |= values[channel] & exponent == exponent ? 1 : 0
      }
    }
    return found == 0
  }
}
