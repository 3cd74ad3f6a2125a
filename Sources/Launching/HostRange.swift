internal import FlapCore

/// What is wrong with a range of host names such as `node[01-16]`.
public enum HostRangeError: Error, Hashable, Sendable {
  /// A `[` without its `]`, or the other way round, or one within another.
  case unbalancedBracket
  /// Not a number of at most 9 digits, or not two of them with a `-` between.
  case badPart(String)
  case reversed(String)
  /// More hosts than `HostsFile.hostLimit`, together with those before.
  case tooMany
  case tooLong(limit: Int)
}

extension HostRangeError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .unbalancedBracket:
      "its brackets do not match: a range is written node[01-16] or node[1,3,5-7]"
    case .badPart(let part):
      "`\(part)` in its brackets is not a number or range of numbers: "
        + "write node[01-16] or node[1,3,5-7]"
    case .reversed(let part):
      "its range `\(part)` runs backwards: write the smaller number first"
    case .tooMany:
      "with it there are more than \(HostsFile.hostLimit) hosts: shorten the range"
    case .tooLong(let limit): "it makes names of more than \(limit) characters: shorten it"
    }
  }
}

/// Host names with ranges: `node[01-16]`, `rack[1-2]-node[1,3,5-7]`. Zero padding is kept.
enum HostRange {
  /// Longest name: a DNS name has at most 253 characters.
  static let nameByteLimit = 253
  private static let digitLimit = 9

  private struct Interval {
    let low: Int
    let high: Int
    /// Digits of the smallest number where it is padded, otherwise 0.
    let width: Int

    var count: Int { high - low + 1 }
    var byteCount: Int { max(width, String(high).utf8.count) }
    var texts: [[UInt8]] {
      (low...high).map { number in
        let digits = Array(String(number).utf8)
        return Array(repeating: UInt8(ascii: "0"), count: max(0, width - digits.count)) + digits
      }
    }
  }

  private enum Segment {
    case literal([UInt8])
    case numbers([Interval])

    var count: Int {
      switch self {
      case .literal: 1
      // At most some thousand intervals of at most 10^9 numbers each.
      case .numbers(let intervals): intervals.reduce(0) { $0 + $1.count }
      }
    }
    var byteCount: Int {
      switch self {
      case .literal(let bytes): bytes.count
      case .numbers(let intervals): intervals.map(\.byteCount).max() ?? 0
      }
    }
    var texts: [[UInt8]] {
      switch self {
      case .literal(let bytes): [bytes]
      case .numbers(let intervals): intervals.flatMap(\.texts)
      }
    }
  }

  /// The names of `pattern`, the last range running fastest.
  ///
  /// - Parameter limit: most names; counted before any is made.
  static func expand(
    _ pattern: ArraySlice<UInt8>, limit: Int
  ) throws(HostRangeError) -> [[UInt8]] {
    let segments = try split(pattern)
    var count = 1
    for segment in segments {
      let (product, isOverflow) = count.multipliedReportingOverflow(by: segment.count)
      guard !isOverflow, product <= limit else { throw .tooMany }
      count = product
    }
    guard count <= limit else { throw .tooMany }
    guard segments.reduce(0, { $0 + $1.byteCount }) <= nameByteLimit else {
      throw .tooLong(limit: nameByteLimit)
    }
    let choices = segments.map(\.texts)
    return (0..<count).map { index in
      var name: [UInt8] = []
      var rest = index
      var stride = count
      for texts in choices {
        stride /= texts.count
        name += texts[rest / stride]
        rest %= stride
      }
      return name
    }
  }

  /// The first `separator` outside of brackets, or the end.
  static func end(of pattern: ArraySlice<UInt8>, before separator: UInt8) -> Int {
    var isInBrackets = false
    for (index, byte) in zip(pattern.indices, pattern) {
      switch byte {
      case UInt8(ascii: "["): isInBrackets = true
      case UInt8(ascii: "]"): isInBrackets = false
      case separator where !isInBrackets: return index
      default: break
      }
    }
    return pattern.endIndex
  }

  private static func split(_ pattern: ArraySlice<UInt8>) throws(HostRangeError) -> [Segment] {
    var segments: [Segment] = []
    var rest = pattern
    while let first = rest.first {
      if first == UInt8(ascii: "[") {
        guard let end = rest.firstIndex(of: UInt8(ascii: "]")) else { throw .unbalancedBracket }
        segments.append(.numbers(try intervals(rest[(rest.startIndex + 1)..<end])))
        rest = rest[(end + 1)...]
      } else {
        let end = rest.firstIndex(of: UInt8(ascii: "[")) ?? rest.endIndex
        guard !rest[..<end].contains(UInt8(ascii: "]")) else { throw .unbalancedBracket }
        segments.append(.literal(Array(rest[..<end])))
        rest = rest[end...]
      }
    }
    return segments
  }

  private static func intervals(_ text: ArraySlice<UInt8>) throws(HostRangeError) -> [Interval] {
    guard !text.contains(UInt8(ascii: "[")) else { throw .unbalancedBracket }
    var intervals: [Interval] = []
    for part in text.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false) {
      intervals.append(try interval(part))
    }
    return intervals
  }

  private static func interval(_ part: ArraySlice<UInt8>) throws(HostRangeError) -> Interval {
    let ends = part.split(separator: UInt8(ascii: "-"), omittingEmptySubsequences: false)
    guard ends.count <= 2, let first = ends.first, let last = ends.last,
      let low = number(first), let high = number(last)
    else { throw .badPart(PlainText.quotable(part)) }
    guard low <= high else { throw .reversed(PlainText.quotable(part)) }
    let isPadded = first.count > 1 && first.first == UInt8(ascii: "0")
    // `[1-016]` says neither padded nor not.
    let isEndPadded = last.count > 1 && last.first == UInt8(ascii: "0")
    guard !isEndPadded || last.count == first.count else {
      throw .badPart(PlainText.quotable(part))
    }
    return Interval(low: low, high: high, width: isPadded ? first.count : 0)
  }

  private static func number(_ digits: ArraySlice<UInt8>) -> Int? {
    digits.count <= digitLimit ? WholeNumber.parse(digits) : nil
  }
}
