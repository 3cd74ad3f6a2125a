/// Numbers of CPUs, or of memory nodes, as the kernel lists them: `0-3,8` (cpuset(7), "List format").
public struct CPUList: Hashable, Sendable {
  /// Ascending, each once.
  public let numbers: [Int]

  /// More than any kernel is built for.
  public static let limit = 8192

  /// - Parameter numbers: from 0 to below ``limit``; others are left out.
  public init(_ numbers: some Sequence<Int>) {
    self.numbers = Set(numbers.filter { (0..<CPUList.limit).contains($0) }).sorted()
  }

  /// - Returns: nil for what is no such list; an empty one names nothing.
  public init?(_ text: some StringProtocol) {
    var numbers: Set<Int> = []
    let isEmpty = text.allSatisfy(\.isWhitespace)
    for part in isEmpty ? [] : text.split(separator: ",", omittingEmptySubsequences: false) {
      let ends = part.split(separator: "-", omittingEmptySubsequences: false)
      guard (1...2).contains(ends.count), let first = CPUList.number(ends[0]),
        let last = CPUList.number(ends[ends.count - 1]), first <= last
      else { return nil }
      numbers.formUnion(first...last)
    }
    self.numbers = numbers.sorted()
  }

  public var count: Int { numbers.count }

  public var isEmpty: Bool { numbers.isEmpty }

  /// Those that both have.
  public func intersection(_ other: CPUList) -> CPUList {
    CPUList(Set(numbers).intersection(other.numbers))
  }

  private static func number(_ text: some StringProtocol) -> Int? {
    guard (1...5).contains(text.utf8.count), text.utf8.allSatisfy({ (48...57).contains($0) }),
      let number = Int(text), number < limit
    else { return nil }
    return number
  }
}

extension CPUList: CustomStringConvertible {
  /// With ranges, as the kernel has it.
  public var description: String {
    var ranges: [(first: Int, last: Int)] = []
    for number in numbers {
      if let last = ranges.last?.last, last + 1 == number {
        ranges[ranges.count - 1].last = number
      } else {
        ranges.append((number, number))
      }
    }
    return ranges.map { $0.first == $0.last ? "\($0.first)" : "\($0.first)-\($0.last)" }
      .joined(separator: ",")
  }
}

extension CPUList: Codable {
  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    guard let list = CPUList(try container.decode(String.self)) else {
      throw DecodingError.dataCorruptedError(in: container, debugDescription: "no list of CPUs")
    }
    self = list
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(description)
  }
}
