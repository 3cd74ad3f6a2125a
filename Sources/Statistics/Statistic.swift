internal import FlapCore

/// Names a kind of statistic in messages, journals and files.
public struct StatisticKind: Hashable, Sendable, CustomStringConvertible {
  /// Letters a to z, digits and hyphens.
  public let name: String

  /// Of a name that is written in a program.
  ///
  /// - Precondition: 1…32 letters a to z, digits and hyphens, a letter first.
  public init(_ name: StaticString) {
    guard let kind = StatisticKind(text: "\(name)") else {
      preconditionFailure("no name of a kind: \(name)")
    }
    self = kind
  }

  /// Of a name from a file or a peer; nil where it is none.
  public init?(text: String) {
    let letters = UInt8(ascii: "a")...UInt8(ascii: "z")
    let digits = UInt8(ascii: "0")...UInt8(ascii: "9")
    guard (1...32).contains(text.utf8.count), let first = text.utf8.first, letters.contains(first),
      text.utf8.allSatisfy({
        letters.contains($0) || digits.contains($0) || $0 == UInt8(ascii: "-")
      })
    else { return nil }
    name = text
  }

  public var description: String { name }
}

/// What a statistic is of: decides at which places a model has one, and who computes it when.
public enum StatisticSource: Hashable, Sendable {
  /// What flows through a tap while samples run through the model: one for each tap and node. Over the
  /// channels of the tap, but of no channel where these are of experts.
  case taps
  /// The same of experts, for each of them one channel; of no channel where a tap is none of experts.
  case experts
  /// The same with one channel for each number that an expert gives, expert by expert; too many to be
  /// measured unless they are asked for.
  case expertOutputs
  /// The same with one channel for each neuron of an expert, likewise.
  case expertNeurons
  /// The map that a tap feeds: its weight and its input's second moments, and what the model loses
  /// when it alone is pruned. One for each tap.
  case maps
  /// What the model predicts for samples: one for each node.
  case predictions
  /// The weight of the map that a tap feeds: one for each tap.
  case weights
}

extension StatisticSource {
  /// Channels that a statistic has; 0 for one of the whole model.
  func channelCount(at place: TapPlace?, in shape: ModelShape) -> Int {
    guard let place else { return 0 }
    let experts = place.tap == .mlpDown ? shape.layers[place.layer].experts : nil
    switch self {
    case .taps where experts != nil: return 0
    case .experts: return experts?.count ?? 0
    case .expertOutputs: return (experts?.count ?? 0) * shape.hiddenSize
    case .expertNeurons:
      return (experts?.count ?? 0) * shape.layers[place.layer].intermediateSize
    default: return shape.channelCount(layer: place.layer, tap: place.tap)
    }
  }
}

/// Something that is measured of a model: its bytes, when it is possible, what files call it.
///
/// Whoever carries, keeps or asks for a statistic does it by ``StatisticKey``, for every kind alike.
/// A kind is a conformance and a row of a ``StatisticCatalog``; the page "Adding kinds" in
/// FlapCore's documentation has the list of what belongs to one.
public protocol Statistic: Hashable, Sendable {
  static var kind: StatisticKind { get }
  static var source: StatisticSource { get }

  /// Bytes of a value over so many channels, which is what ``bytes`` has; 0 channels for a statistic
  /// that is not of a tap.
  static func byteCount(channelCount: Int) -> Int
  /// Little-endian, counts as u64, other numbers in a format of the kind's own.
  var bytes: [UInt8] { get }
  /// - Precondition: as many bytes as ``byteCount(channelCount:)`` says.
  init(bytes: [UInt8], channelCount: Int)

  /// - Throws: why no honest computation gives this value.
  func validate() throws(StatisticDefect)

  /// The arrays that a statistics file has of it, by the ends of their names, each f64
  /// [``arrayLength(channelCount:)``]; none for a statistic that such files do not hold.
  static var arrayNames: [String] { get }
  /// As a rule one number per channel.
  static func arrayLength(channelCount: Int) -> Int
  /// As many as there are names.
  var arrays: [[Double]] { get }
  /// - Parameter tokenCount: of all samples.
  /// - Precondition: one array per name.
  init(arrays: [[Double]], tokenCount: Int)
}

/// A statistic of samples: those of siblings in the canonical tree are merged.
public protocol SampleStatistic: Statistic, Mergeable {}

extension Statistic {
  public static var arrayNames: [String] { [] }
  public static func arrayLength(channelCount: Int) -> Int { channelCount }
  public var arrays: [[Double]] { [] }
  public init(arrays: [[Double]], tokenCount: Int) {
    preconditionFailure("statistics files do not hold \(Self.kind)")
  }
}

/// What is wrong with a value, wherever it is of.
public enum StatisticDefect: Error, Hashable, Sendable {
  case byteCount(expected: Int, found: Int)
  /// Below 0, beyond 2⁵³, or other than the samples have.
  case tokenCount(found: Int)
  /// Infinite or not a number.
  case notFinite(channel: Int)
  /// A sum of squares, or a norm, below 0.
  case negative(channel: Int)
}

/// What is wrong with a statistic that came from a file or a peer, and with which.
public enum StatisticsError: Error, Hashable, Sendable {
  case defect(StatisticKey, StatisticDefect)
  /// A kind that this version does not know, or that is not of this source.
  case unknownKind(StatisticKind)
}

extension StatisticsError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .unknownKind(let kind):
      "statistics of the kind \"\(kind)\", which this version does not know; use the same version "
        + "on every host"
    case .defect(let key, .byteCount(let expected, let found)):
      "The statistics of \(key.subject) hold \(found) bytes, the model's have \(expected); "
        + "use the same model and version on every host."
    case .defect(let key, .tokenCount(let found)):
      "The statistics of \(key.subject) count \(found) tokens, which is impossible; calibrate again."
    case .defect(let key, .notFinite(let channel)):
      "The statistics of \(key.subject), channel \(channel), are not finite; "
        + "check the model's weights and calibrate again."
    case .defect(let key, .negative(let channel)):
      "The statistics of \(key.subject), channel \(channel), hold a negative "
        + "sum of squares; calibrate again."
    }
  }
}
