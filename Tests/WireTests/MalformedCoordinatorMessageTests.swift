import FlapCore
import Testing
import Wire

@Suite struct MalformedCoordinatorMessageTests {
  typealias Case = MalformedWorkerMessageTests.Case
  private typealias Bytes = ProtobufBytes

  private static func welcome(_ changes: [UInt8]) -> [[UInt8]] {
    [
      Bytes.data(
        1,
        Bytes.text(1, "run") + Bytes.text(2, "f32") + Bytes.number(3, 8) + Bytes.number(4, 1)
          + Bytes.number(5, 1) + Bytes.number(6, 1) + Bytes.number(7, 1) + changes)
    ]
  }

  /// Two leaves of one sample of two tokens.
  private static func unit(
    _ changes: [UInt8], tokens: [[UInt8]], kinds: [String] = ["moments"]
  ) -> [[UInt8]] {
    let unit =
      Bytes.number(1, 1) + Bytes.number(2, 0) + Bytes.data(3, [1, 1]) + Bytes.number(4, 2)
      + changes
    let samples = kinds.flatMap { Bytes.text(1, $0) } + Bytes.data(2, unit)
    return [Bytes.data(4, Bytes.attempt() + Bytes.data(2, samples))] + tokens
  }

  private static func weights(_ layer: UInt64, kinds: [String]) -> [[UInt8]] {
    let weights = kinds.flatMap { Bytes.text(1, $0) } + Bytes.number(2, layer)
    return [Bytes.data(4, Bytes.attempt() + Bytes.data(3, weights))]
  }

  /// A map without samples.
  private static func map(_ changes: [UInt8], moments: String = "/sums") -> [[UInt8]] {
    let map =
      Bytes.text(1, "removal-curve") + Bytes.number(2, 3) + Bytes.number(3, 1)
      + Bytes.text(4, moments) + changes
    return [Bytes.data(4, Bytes.attempt() + Bytes.data(6, map))]
  }

  private static func map(levels: [UInt64]) -> [[UInt8]] {
    map(Bytes.data(5, levels.flatMap { Bytes.varint($0) }))
  }

  /// Two leaves of one sample of two tokens, on which losses are measured.
  private static let mapSamples = Bytes.data(
    6, Bytes.number(1, 1) + Bytes.number(2, 0) + Bytes.data(3, [1, 1]) + Bytes.number(4, 2))

  private static let tokens = [[UInt8](repeating: 1, count: 16)]

  /// One leaf of one group: two tokens that one branch of one token follows, and a span behind it.
  private static let score: [Int32] = [1, 2, 1, 1, 1, 0, 2, 1, 7, 8, 9, 6]

  private static func score(_ numbers: [Int32], _ changes: [UInt8] = []) -> [[UInt8]] {
    let score = Bytes.number(1, 0) + Bytes.number(2, 1) + changes
    return [
      Bytes.data(4, Bytes.attempt() + Bytes.data(9, score)),
      numbers.flatMap { withUnsafeBytes(of: $0.littleEndian, Array.init) },
    ]
  }

  private static func score(_ index: Int, _ number: Int32) -> [[UInt8]] {
    var numbers = score
    numbers[index] = number
    return score(numbers)
  }

  private static func plan(_ changes: [UInt8]) -> [[UInt8]] {
    [
      Bytes.data(
        8,
        Bytes.text(1, "/out") + Bytes.number(2, 1) + Bytes.data(3, Samples.digest.bytes)
          + Bytes.number(4, 2) + changes), [1, 2],
    ]
  }

  static let cases: [Case] = [
    Case("no frames", [], .frameCount(found: 0)),
    Case("an empty header", [[]], .unknownMessage),
    Case("a drain with a frame", [Bytes.data(9, []), []], .frameCount(found: 2)),
    Case(
      "questions cut off", score(score.dropLast()),
      .rawByteCount(of: "questions", expected: 48, found: 44)),
    Case(
      "questions with more behind them", score(score + [1]),
      .rawByteCount(of: "questions", expected: 48, found: 52)),
    Case(
      "a leaf of questions that is not there", score(score, Bytes.number(2, 2)),
      .rawByteCount(of: "questions", expected: 52, found: 48)),
    Case(
      "no leaves of questions", score(score, Bytes.number(2, 0)),
      .invalid(field: "count of leaves", reason: "0")),
    Case(
      "no groups of questions", score(0, 0),
      .invalid(field: "questions", reason: "a count of 0")),
    Case(
      "a billion groups of questions", score(0, 1 << 30),
      .invalid(field: "questions", reason: "a count of 1073741824")),
    Case("no spans", score(3, 0), .invalid(field: "questions", reason: "a count of 0")),
    Case(
      "a span of another text", score(5, 1),
      .invalid(field: "questions", reason: "a span outside its text")),
    Case(
      "a span behind its text", score(6, 3),
      .invalid(field: "questions", reason: "a span outside its text")),
    Case(
      "a negative token", score(9, -1),
      .invalid(field: "questions", reason: "a negative number")),
    Case("no run", welcome(Bytes.text(1, "")), .invalid(field: "run", reason: "empty")),
    Case(
      "an unknown format", welcome(Bytes.text(2, "int4")),
      .invalid(field: "number format", reason: "int4")),
    Case(
      "an unknown format that acts on terminals", welcome(Bytes.text(2, "int4\u{1B}[2J\n")),
      .invalid(field: "number format", reason: "int4 [2J")),
    Case(
      "units of 100,000 leaves", welcome(Bytes.number(5, 100_000)),
      .invalid(field: "count of leaves per unit", reason: "100000")),
    Case(
      "60,000 leaves",
      unit(
        Bytes.number(1, 17) + Bytes.data(3, [UInt8](repeating: 1, count: 60_000)), tokens: tokens),
      .invalid(field: "count of leaves", reason: "60002 in node 0 of level 17")),
    Case(
      "no tokens", welcome(Bytes.number(3, 0)),
      .invalid(field: "count of tokens per sample", reason: "0")),
    Case(
      "a block whose size overflows",
      welcome(
        Bytes.number(3, 0xFFFF_FFFF) + Bytes.number(4, 0xFFFF_FFFF)
          + Bytes.number(5, UInt64(Limits.leavesPerUnit))),
      .invalid(field: "count of tokens", reason: "17592186040320 × 4294967295")),
    Case(
      "a block that no message holds", welcome(Bytes.number(3, 1 << 31)),
      .invalid(field: "count of tokens", reason: "2147483648")),
    Case(
      "an interval of nothing", welcome(Bytes.number(6, 0)),
      .invalid(field: "heartbeat interval", reason: "0")),
    Case(
      "an endless lease", welcome(Bytes.number(7, .max)),
      .invalid(field: "lease", reason: "\(UInt64.max)")),
    Case(
      "no credit", [Bytes.data(5, Bytes.attempt())], .invalid(field: "credit", reason: "0")),
    Case("credit for nothing", [Bytes.data(5, Bytes.number(2, 1))], .missing(field: "attempt")),
    Case("no work", [Bytes.data(4, Bytes.attempt())], .missing(field: "work")),
    Case(
      "a layer beyond all models",
      weights(UInt64(Limits.layerCount), kinds: ["weight-norms"]),
      .invalid(field: "layer", reason: "4096")),
    Case("no kind", weights(0, kinds: []), .missing(field: "kind of statistic")),
    Case(
      "a map of a third tap", map(Bytes.number(3, 2)), .invalid(field: "tap", reason: "2")),
    Case(
      "a map of a layer that no model has", map(Bytes.number(2, UInt64(Limits.layerCount))),
      .invalid(field: "layer", reason: "\(Limits.layerCount)")),
    Case(
      "a map without its file", map([], moments: ""),
      .invalid(field: "folder of second moments", reason: "empty")),
    Case(
      "a map of no kind",
      [Bytes.data(4, Bytes.attempt() + Bytes.data(6, Bytes.text(4, "/sums")))],
      .missing(field: "kind of statistic")),
    Case(
      "levels that descend", map(levels: [2, 1]),
      .invalid(field: "levels", reason: "2 of them, not ascending")),
    Case(
      "a level twice", map(levels: [1, 2, 2]),
      .invalid(field: "levels", reason: "3 of them, not ascending")),
    Case(
      "a level of nothing", map(levels: [0, 1]),
      .invalid(field: "levels", reason: "2 of them, not ascending")),
    Case(
      "a level of more than a layer may have", map(levels: [1, UInt64(Limits.dimension) + 1]),
      .invalid(field: "levels", reason: "2 of them, not ascending")),
    Case(
      "more levels than a statistic has room for", map(levels: Array(1...33)),
      .invalid(field: "levels", reason: "33 of them, not ascending")),
    Case("tokens of a map without samples", map([]) + tokens, .frameCount(found: 2)),
    Case(
      "a map whose tokens are missing", map(mapSamples),
      .rawByteCount(of: "token ids", expected: 16, found: 0)),
    Case(
      "a map with half its tokens", map(mapSamples) + [Array(tokens[0].prefix(8))],
      .rawByteCount(of: "token ids", expected: 16, found: 8)),
    Case(
      "a kind that is no name", weights(0, kinds: ["../x"]),
      .invalid(field: "kind of statistic", reason: "../x")),
    Case(
      "a kind twice", unit([], tokens: tokens, kinds: ["loss", "loss"]),
      .invalid(field: "kind of statistic", reason: "loss")),
    Case(
      "more kinds than there are", weights(0, kinds: (0..<65).map { "k\($0)" }),
      .missing(field: "kind of statistic")),
    Case(
      "a shard with a frame", [Bytes.data(4, Bytes.attempt() + Bytes.number(4, 1)), [1]],
      .frameCount(found: 2)),
    Case(
      "a level without end", unit(Bytes.number(1, 64), tokens: tokens),
      .invalid(field: "level of a node", reason: "64")),
    Case(
      "an index that overflows", unit(Bytes.number(2, 1 << 60), tokens: tokens),
      .invalid(field: "index of a node", reason: "1152921504606846976 of level 1")),
    Case(
      "more leaves than the node has", unit(Bytes.number(1, 0), tokens: tokens),
      .invalid(field: "count of leaves", reason: "2 in node 0 of level 0")),
    Case(
      "a third leaf of two", unit(Bytes.data(3, [2]), tokens: tokens),
      .invalid(field: "count of leaves", reason: "3 in node 0 of level 1")),
    Case(
      "a leaf of no samples",
      unit(Bytes.number(1, 2) + Bytes.data(3, [0]), tokens: tokens),
      .invalid(field: "count of samples per leaf", reason: "unequal or empty leaves")),
    Case(
      "leaves of no samples at all",
      [
        Bytes.data(
          4,
          Bytes.attempt()
            + Bytes.data(
              2, Bytes.text(1, "loss") + Bytes.data(2, Bytes.data(3, [0]) + Bytes.number(4, 2))))
      ],
      .invalid(field: "count of samples per leaf", reason: "unequal or empty leaves")),
    Case(
      "a last leaf above the others",
      unit(Bytes.number(1, 2) + Bytes.data(3, [2]), tokens: tokens),
      .invalid(field: "count of samples per leaf", reason: "unequal or empty leaves")),
    Case(
      "samples of no tokens", unit(Bytes.number(4, 0), tokens: tokens),
      .invalid(field: "count of tokens per sample", reason: "0")),
    Case(
      "too few tokens", unit([], tokens: [[UInt8](repeating: 1, count: 12)]),
      .rawByteCount(of: "token ids", expected: 16, found: 12)),
    Case(
      "a broken token", unit([], tokens: tokens + [[1]]),
      .rawByteCount(of: "token ids", expected: 16, found: 17)),
    Case(
      "tokens beyond all messages", unit(Bytes.number(4, 0xFFFF_FFFF), tokens: tokens),
      .invalid(field: "count of tokens", reason: "8589934590")),
    Case(
      "a negative token", unit([], tokens: [[UInt8](repeating: 255, count: 16)]),
      .invalid(field: "token id", reason: "negative")),
    Case(
      "shards of nothing", plan(Bytes.number(2, 0)),
      .invalid(field: "largest size of a shard", reason: "0")),
    Case(
      "a short plan", plan(Bytes.number(4, 3)),
      .rawByteCount(of: "plan", expected: 3, found: 2)),
    Case(
      "a plan beyond memory", plan(Bytes.number(4, 1 << 52)),
      .rawByteCount(of: "plan", expected: 1 << 52, found: 2)),
  ]

  @Test(arguments: cases) func isRefused(_ malformed: Case) {
    #expect(throws: malformed.error) { try WireCodec.decodeCoordinatorMessage(malformed.frames) }
  }

  /// Tokens may be cut into frames anywhere, even within a token.
  @Test func tokensMayBeCutAnywhere() throws {
    let bytes = Self.tokens[0]
    #expect(
      try WireCodec.decodeCoordinatorMessage(
        Self.unit([], tokens: [Array(bytes[..<5]), [], Array(bytes[5...])]))
        == WireCodec.decodeCoordinatorMessage(Self.unit([], tokens: [bytes])))
  }
}
