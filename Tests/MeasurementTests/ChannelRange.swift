import FlapCore
import Measurement
import Statistics
import Synchronization
import Transformer

// The worked example of the page "Adding kinds": a statistic that the program does not have, the
// smallest and largest value of every channel. These two types are all that a kind consists of.

/// Smallest and largest value of every channel at one tap.
struct ChannelRange: SampleStatistic {
  static let kind = StatisticKind("range")
  static let source = StatisticSource.taps

  private(set) var smallest: [Double]
  private(set) var largest: [Double]

  /// Of nothing yet.
  init(channelCount: Int) {
    smallest = Array(repeating: .infinity, count: channelCount)
    largest = Array(repeating: -.infinity, count: channelCount)
  }

  mutating func add(_ value: Double, to channel: Int) {
    smallest[channel] = min(smallest[channel], value)
    largest[channel] = max(largest[channel], value)
  }

  mutating func merge(_ right: ChannelRange) {
    smallest = zip(smallest, right.smallest).map(min)
    largest = zip(largest, right.largest).map(max)
  }

  static func byteCount(channelCount: Int) -> Int { 16 * channelCount }

  var bytes: [UInt8] {
    (smallest + largest).flatMap { value in
      withUnsafeBytes(of: value.bitPattern.littleEndian) { Array($0) }
    }
  }

  init(bytes: [UInt8], channelCount: Int) {
    let values = bytes.withUnsafeBytes { bytes in
      (0..<2 * channelCount).map { index in
        Double(
          bitPattern: UInt64(
            littleEndian: bytes.loadUnaligned(fromByteOffset: 8 * index, as: UInt64.self)))
      }
    }
    smallest = Array(values[..<channelCount])
    largest = Array(values[channelCount...])
  }

  func validate() throws(StatisticDefect) {
    for channel in smallest.indices {
      guard smallest[channel].isFinite, largest[channel].isFinite else {
        throw .notFinite(channel: channel)
      }
      guard smallest[channel] <= largest[channel] else { throw .negative(channel: channel) }
    }
  }

  static let arrayNames = ["input_min", "input_max"]
  var arrays: [[Double]] { [smallest, largest] }
  init(arrays: [[Double]], tokenCount: Int) {
    smallest = arrays[0]
    largest = arrays[1]
  }
}

/// Gathers a ``ChannelRange``: in any order of tokens it is the same, so one value per leaf will do.
final class RangeGatherer: TapGatherer {
  private struct Place: Hashable {
    let leaf: Int
    let tap: Tap
  }

  /// By lane what is being gathered, by leaf what is done.
  private let open = Mutex<[Int: ChannelRange]>([:])
  private let done = Mutex<[Place: ChannelRange]>([:])

  init(_ limits: ObserverLimits) {}

  static func byteCount(_ limits: ObserverLimits) -> Int { 0 }

  func observe(_ piece: TapPiece) {
    open.withLock { open in
      for row in 0..<piece.tokenCount {
        for channel in 0..<piece.channels.count {
          open[piece.lane, default: ChannelRange(channelCount: piece.width)].add(
            Double(piece.values[row * piece.stride + channel]),
            to: piece.channels.lowerBound + channel)
        }
      }
    }
  }

  func finish(_ passage: TapPassage) {
    let range = open.withLock { $0.removeValue(forKey: passage.lane) }
    done.withLock { $0[Place(leaf: passage.leaf, tap: passage.tap)] = range }
  }

  func take(_ passage: TapPassage) -> ChannelRange {
    done.withLock { $0.removeValue(forKey: Place(leaf: passage.leaf, tap: passage.tap)) }
      ?? ChannelRange(channelCount: passage.width)
  }
}
