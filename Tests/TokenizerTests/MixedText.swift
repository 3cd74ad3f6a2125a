import FlapTestKit

/// Text of many scripts and oddities, made from a seed: the same bytes as `mixed_text.py` makes.
struct MixedText {
  static let documentByteCount = 60_000
  private static let separators = [
    " ", " ", " ", " ", " ", " ", " ", " ", "", "", "\n", "\n\n", "  ", "    ", "\t", "\r\n",
    "\u{A0}", "\u{3000}", "\u{2028}", "\u{200B}", "\u{85}", " \n ", "\r", ". ", ", ", "'", "’",
    "-", "_", "\0",
  ].map { Array($0.utf8) }

  let fragments: [[UInt8]]

  /// Four kinds of document in turn: prose, prose with oddities, wild scalars, long words.
  func document(_ index: Int) -> [UInt8] {
    var random = SeededGenerator(seed: UInt64(index) + 1)
    let oddity = [64, 12, 4, 24][index % 4]
    let separatorCount = [8, MixedText.separators.count, MixedText.separators.count, 12][index % 4]
    var text: [UInt8] = []
    while text.count < MixedText.documentByteCount {
      if random.below(oddity) > 0 {
        // Between 0 and 1 in 2⁶⁰ths; the third power favours the first fragments.
        let skewed = UInt64(random.below(1 << 20))
        let product = (skewed * skewed * skewed).multipliedFullWidth(by: UInt64(fragments.count))
        text += fragments[Int(product.high << 4 | product.low >> 60)]
      } else {
        appendOddPart(&text, &random, isLong: index % 4 == 3)
      }
      text += MixedText.separators[random.below(separatorCount)]
    }
    return text
  }

  private func appendOddPart(
    _ text: inout [UInt8], _ random: inout SeededGenerator, isLong: Bool
  ) {
    let kind = random.below(5)
    let count = 1 + random.below(isLong && random.below(8) == 0 ? 4000 : 12)
    switch kind {
    case 0: for _ in 0..<count { text += MixedText.scalar(random.next()) }
    case 1:
      let start = random.next() % 0x32000
      for _ in 0..<count { text += MixedText.scalar(start + UInt64(random.below(64))) }
    case 2:
      text += MixedText.scalar(UInt64(0x41 + random.below(0x2000)))
      for _ in 0..<count { text += MixedText.scalar(UInt64(0x300 + random.below(0x70))) }
    case 3:
      let repeated = MixedText.scalar(UInt64(0x20 + random.below(0x60)))
      for _ in 0..<count { text += repeated }
    default: for _ in 0..<count { text += MixedText.scalar(UInt64(0x21 + random.below(0x5E))) }
    }
  }

  /// A scalar for any number: surrogates are skipped.
  private static func scalar(_ number: UInt64) -> [UInt8] {
    let value = UInt32(number % (0x110000 - 0x800))
    let scalar = Unicode.Scalar(value < 0xD800 ? value : value + 0x800)!
    return Array(UTF8.encode(scalar)!)
  }
}

extension SeededGenerator {
  mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(bound)) }
}

/// FNV-1a over bytes.
func fnv64(_ bytes: some Sequence<UInt8>, from start: UInt64 = 0xCBF2_9CE4_8422_2325) -> UInt64 {
  bytes.reduce(start) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
}
