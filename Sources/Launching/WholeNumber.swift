/// Whole numbers as people write them into settings.
enum WholeNumber {
  /// - Returns: nil unless `digits` are 1 to 18 decimal digits and nothing else.
  static func parse(_ digits: some Collection<UInt8>) -> Int? {
    guard (1...18).contains(digits.count) else { return nil }
    var number = 0
    for digit in digits {
      guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(digit) else { return nil }
      number = number * 10 + Int(digit - UInt8(ascii: "0"))
    }
    return number
  }

  private static let units: [(name: String, byteCount: Int)] = [
    ("KB", 1000), ("MB", 1_000_000), ("GB", 1_000_000_000), ("TB", 1_000_000_000_000),
    ("KIB", 1 << 10), ("MIB", 1 << 20), ("GIB", 1 << 30), ("TIB", 1 << 40), ("B", 1),
  ]

  /// `64GB` (10^9 bytes each) or `64GiB` (2^30), in either case.
  ///
  /// - Returns: nil for anything else, and for no bytes at all.
  static func parseBytes(_ text: String) -> Int? {
    let upper = text.uppercased()
    // Of the names that match, KiB before B.
    let matching = units.filter { upper.hasSuffix($0.name) }
    guard let unit = matching.max(by: { $0.name.utf8.count < $1.name.utf8.count }),
      let count = parse(upper.utf8.dropLast(unit.name.utf8.count)), count > 0
    else { return nil }
    let (bytes, isOverflow) = count.multipliedReportingOverflow(by: unit.byteCount)
    return isOverflow ? nil : bytes
  }
}
