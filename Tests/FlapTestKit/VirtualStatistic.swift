import FlapCore
public import Statistics

/// A kind of statistic whose values show how they came about: a hash that depends on every leaf, on
/// the tap and on the order of every merge. Two of them, so that a run can have several at once.
public struct VirtualStatistic<Name: VirtualName>: SampleStatistic {
  public static var kind: StatisticKind { Name.kind }
  public static var source: StatisticSource { .taps }

  private var hash: UInt64

  /// Of one leaf at a tap.
  public init(leaf: Int, at place: TapPlace) {
    let seed = UInt64(leaf) &+ 1 &+ UInt64(place.layer) << 32 &+ UInt64(place.tap.rawValue) << 40
    hash = (seed ^ Name.salt) &* 0x9E37_79B9_7F4A_7C15
  }

  public mutating func merge(_ right: Self) {
    hash = (hash ^ (hash >> 29)) &* 0xBF58_476D_1CE4_E5B9 &+ right.hash
  }

  public static func byteCount(channelCount: Int) -> Int { 8 * channelCount }

  /// As often as there are channels.
  public var bytes: [UInt8] {
    (0..<8 * VirtualWork.channelCount).map { UInt8(truncatingIfNeeded: hash >> (($0 % 8) * 8)) }
  }

  public init(bytes: [UInt8], channelCount: Int) {
    hash = bytes.prefix(8).enumerated().reduce(0) { $0 | UInt64($1.element) << ($1.offset * 8) }
  }

  public func validate() throws(StatisticDefect) {}
}

/// What tells two virtual statistics apart.
public protocol VirtualName: Hashable, Sendable {
  static var kind: StatisticKind { get }
  static var salt: UInt64 { get }
}

public enum FirstName: VirtualName {
  public static let kind = StatisticKind("virtual-1")
  public static let salt: UInt64 = 0
}

public enum SecondName: VirtualName {
  public static let kind = StatisticKind("virtual-2")
  public static let salt: UInt64 = 0xF1A9
}

/// A statistic of weights that says of which.
public struct VirtualWeights: Statistic {
  public static let kind = StatisticKind("virtual-weights")
  public static let source = StatisticSource.weights

  private let number: UInt8

  public init(at place: TapPlace) { number = UInt8(2 * place.layer + place.tap.rawValue + 1) }

  public static func byteCount(channelCount: Int) -> Int { 1 }
  public var bytes: [UInt8] { [number] }
  public init(bytes: [UInt8], channelCount: Int) { number = bytes[0] }
  public func validate() throws(StatisticDefect) {}
}

/// A statistic of a map that says of which.
public struct VirtualMap: Statistic {
  public static let kind = StatisticKind("virtual-map")
  public static let source = StatisticSource.maps

  private let number: UInt8

  public init(at place: TapPlace) { number = UInt8(100 + 2 * place.layer + place.tap.rawValue) }

  public static func byteCount(channelCount: Int) -> Int { 1 }
  public var bytes: [UInt8] { [number] }
  public init(bytes: [UInt8], channelCount: Int) { number = bytes[0] }
  public func validate() throws(StatisticDefect) {}
}
