import FlapCore
import Statistics
import Synchronization
import Transformer

/// Keeps what the maps multiply.
final class Recorder: TapObserver {
  private struct Place: Hashable {
    let place: TapPlace
    let leaf: Int
  }

  private let values: Mutex<[Place: [[Double]]]> = Mutex([:])

  func observe(_: TapPiece) {}

  func finish(_ passage: TapPassage) {
    let rows = (0..<passage.tokenCount).map { token in
      (0..<passage.width).map { Double(passage.value(token: token, channel: $0)) }
    }
    let place = Place(place: TapPlace(layer: passage.layer, passage.tap), leaf: passage.leaf)
    values.withLock { $0[place] = rows }
  }

  func rows(_ place: TapPlace, leaf: Int) -> [[Double]] {
    values.withLock { $0[Place(place: place, leaf: leaf)] ?? [] }
  }
}
