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
  private let findings = GatheredValues<Finding>()

  func observe(_ piece: TapPiece) {
    guard !FinitenessObserver.isFinite(piece) else { return }
    suspicions.withLock { _ = $0.insert(piece.lane) }
  }

  func finish(_ passage: TapPassage) {
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
  private static func isFinite(_ piece: TapPiece) -> Bool {
    let exponent: UInt32 = 0x7F80_0000
    var found: UInt32 = 0
    for row in 0..<piece.tokenCount {
      let values = UnsafeRawPointer(piece.values + row * piece.stride)
        .assumingMemoryBound(to: UInt32.self)
      for channel in 0..<piece.channels.count {
        found |= values[channel] & exponent == exponent ? 1 : 0
      }
    }
    return found == 0
  }
}
