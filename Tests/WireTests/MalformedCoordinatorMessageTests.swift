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
  private static func block(_ changes: [UInt8], tokens: [[UInt8]]) -> [[UInt8]] {
    let block =
      Bytes.number(1, 1) + Bytes.number(2, 0) + Bytes.data(3, [1, 1]) + Bytes.number(4, 2)
      + changes
    return [Bytes.data(4, Bytes.attempt() + Bytes.data(2, block))] + tokens
  }

  private static let tokens = [[UInt8](repeating: 1, count: 16)]

  private static func plan(_ changes: [UInt8]) -> [[UInt8]] {
    [
      Bytes.data(
        8,
        Bytes.text(1, "/out") + Bytes.number(2, 1) + Bytes.data(4, Samples.digest.bytes)
          + Bytes.number(5, 2) + changes), [1, 2],
    ]
  }

  static let cases: [Case] = [
    Case("no frames", [], .frameCount(found: 0)),
    Case("an empty header", [[]], .unknownMessage),
    Case("a drain with a frame", [Bytes.data(9, []), []], .frameCount(found: 2)),
    Case("no run", welcome(Bytes.text(1, "")), .invalid(field: "run", reason: "empty")),
    Case(
      "an unknown format", welcome(Bytes.text(2, "int4")),
      .invalid(field: "number format", reason: "int4")),
    Case(
      "no tokens", welcome(Bytes.number(3, 0)),
      .invalid(field: "count of tokens per sample", reason: "0")),
    Case(
      "a block whose size overflows",
      welcome(
        Bytes.number(3, 0xFFFF_FFFF) + Bytes.number(4, 0xFFFF_FFFF)
          + Bytes.number(5, 0xFFFF_FFFF)),
      .invalid(field: "count of tokens", reason: "4294967295 × 4294967295")),
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
      [Bytes.data(4, Bytes.attempt() + Bytes.number(4, UInt64(Limits.layerCount)))],
      .invalid(field: "layer", reason: "4096")),
    Case(
      "a shard with a frame", [Bytes.data(4, Bytes.attempt() + Bytes.number(5, 1)), [1]],
      .frameCount(found: 2)),
    Case(
      "a level without end", block(Bytes.number(1, 64), tokens: tokens),
      .invalid(field: "level of a node", reason: "64")),
    Case(
      "an index that overflows", block(Bytes.number(2, 1 << 60), tokens: tokens),
      .invalid(field: "index of a node", reason: "1152921504606846976 of level 1")),
    Case(
      "more leaves than the node has", block(Bytes.number(1, 0), tokens: tokens),
      .invalid(field: "count of leaves", reason: "2 in node 0 of level 0")),
    Case(
      "a third leaf of two", block(Bytes.data(3, [2]), tokens: tokens),
      .invalid(field: "count of leaves", reason: "3 in node 0 of level 1")),
    Case(
      "a leaf of no samples",
      block(Bytes.number(1, 2) + Bytes.data(3, [0]), tokens: tokens),
      .invalid(field: "count of samples per leaf", reason: "unequal or empty leaves")),
    Case(
      "leaves of no samples at all",
      [
        Bytes.data(
          4, Bytes.attempt() + Bytes.data(2, Bytes.data(3, [0]) + Bytes.number(4, 2)))
      ],
      .invalid(field: "count of samples per leaf", reason: "unequal or empty leaves")),
    Case(
      "a last leaf above the others",
      block(Bytes.number(1, 2) + Bytes.data(3, [2]), tokens: tokens),
      .invalid(field: "count of samples per leaf", reason: "unequal or empty leaves")),
    Case(
      "samples of no tokens", block(Bytes.number(4, 0), tokens: tokens),
      .invalid(field: "count of tokens per sample", reason: "0")),
    Case(
      "too few tokens", block([], tokens: [[UInt8](repeating: 1, count: 12)]),
      .rawByteCount(of: "token ids", expected: 16, found: 12)),
    Case(
      "a broken token", block([], tokens: tokens + [[1]]),
      .rawByteCount(of: "token ids", expected: 16, found: 17)),
    Case(
      "tokens beyond all messages", block(Bytes.number(4, 0xFFFF_FFFF), tokens: tokens),
      .invalid(field: "count of tokens", reason: "8589934590")),
    Case(
      "a negative token", block([], tokens: [[UInt8](repeating: 255, count: 16)]),
      .invalid(field: "token id", reason: "negative")),
    Case(
      "shards of nothing", plan(Bytes.number(2, 0)),
      .invalid(field: "largest size of a shard", reason: "0")),
    Case(
      "a short plan", plan(Bytes.number(5, 3)),
      .rawByteCount(of: "plan", expected: 3, found: 2)),
    Case(
      "a plan beyond memory", plan(Bytes.number(5, 1 << 52)),
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
        Self.block([], tokens: [Array(bytes[..<5]), [], Array(bytes[5...])]))
        == WireCodec.decodeCoordinatorMessage(Self.block([], tokens: [bytes])))
  }
}
