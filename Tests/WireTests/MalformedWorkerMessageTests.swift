import Coordination
import FlapCore
import Testing
import Wire

@Suite struct MalformedWorkerMessageTests {
  struct Case: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let frames: [[UInt8]]
    let error: WireError

    init(_ name: String, _ frames: [[UInt8]], _ error: WireError) {
      testDescription = name
      self.frames = frames
      self.error = error
    }
  }

  private typealias Bytes = ProtobufBytes
  private static let digest = Samples.digest.bytes

  private static func hello(_ changes: [UInt8]) -> [[UInt8]] {
    // The last of equal fields counts.
    [
      Bytes.data(
        1,
        Bytes.number(1, 1) + Bytes.number(4, 1) + Bytes.data(5, digest) + Bytes.number(7, 1)
          + Bytes.number(8, 1) + changes)
    ]
  }

  private static func shard(_ name: [UInt8]) -> [[UInt8]] {
    [Bytes.data(7, Bytes.attempt() + Bytes.data(2, name) + Bytes.data(4, digest))]
  }

  private static let chunk = Bytes.data(5, Bytes.attempt())

  static let cases: [Case] = [
    Case("no frames", [], .frameCount(found: 0)),
    Case(
      "too many frames", Array(repeating: [], count: Limits.framesPerMessage + 1),
      .frameCount(found: Limits.framesPerMessage + 1)),
    Case("an empty header", [[]], .unknownMessage),
    Case("an unknown kind", [Bytes.data(100, [])], .unknownMessage),
    Case("no protobuf", [[0xFF, 0xFF]], .malformedHeader(byteCount: 2)),
    Case("a part cut off", [[0x0A, 0x05, 0x08]], .malformedHeader(byteCount: 3)),
    Case(
      "a long header", [[UInt8](repeating: 0, count: Limits.headerFrameBytes + 1)],
      .frameTooLong(
        frame: 0, byteCount: Limits.headerFrameBytes + 1, limit: Limits.headerFrameBytes)),
    Case(
      "a long chunk", [chunk, [UInt8](repeating: 0, count: Limits.chunkBytes + 1)],
      .frameTooLong(frame: 1, byteCount: Limits.chunkBytes + 1, limit: Limits.chunkBytes)),
    Case("a chunk without its frame", [chunk], .frameCount(found: 1)),
    Case("a chunk of two frames", [chunk, [1], [2]], .frameCount(found: 3)),
    Case("an empty chunk", [chunk, []], .invalid(field: "chunk", reason: "empty")),
    Case(
      "a chunk beyond all results",
      [Bytes.data(5, Bytes.attempt() + Bytes.number(2, .max)), [1]],
      .invalid(field: "offset of a chunk", reason: "\(UInt64.max)")),
    Case("a frame nobody announced", [Bytes.data(9, []), [1]], .frameCount(found: 2)),
    Case("attempt 0", [Bytes.data(3, [])], .invalid(field: "number of an attempt", reason: "0")),
    Case(
      "no attempt", [Bytes.data(4, Bytes.data(3, digest))], .missing(field: "attempt")),
    Case(
      "a short digest", [Bytes.data(4, Bytes.attempt() + Bytes.data(3, Array(digest.dropLast())))],
      .invalid(field: "digest of a report", reason: "31 bytes")),
    Case(
      "a result above 2^53 bytes",
      [Bytes.data(4, Bytes.attempt() + Bytes.number(2, 1 << 53 + 1) + Bytes.data(3, digest))],
      .invalid(field: "size of a report", reason: "9007199254740993")),
    Case(
      "a class of failure that is none", [Bytes.data(8, Bytes.attempt() + Bytes.number(2, 3))],
      .invalid(field: "class of a failure", reason: "3")),
    Case(
      "a reason that is not UTF-8", [Bytes.data(9, Bytes.data(1, [0xC3]))],
      .invalid(field: "reason", reason: "not UTF-8")),
    Case(
      "process 0", hello(Bytes.number(4, 0)), .invalid(field: "process number", reason: "0")),
    Case(
      "a process beyond Int32", hello(Bytes.number(4, 1 << 31)),
      .invalid(field: "process number", reason: "2147483648")),
    Case("no cores", hello(Bytes.number(7, 0)), .invalid(field: "count of cores", reason: "0")),
    Case("no threads", hello(Bytes.number(8, 0)), .invalid(field: "count of threads", reason: "0")),
    Case(
      "memory", hello(Bytes.number(9, .max)), .invalid(field: "memory", reason: "\(UInt64.max)")),
    Case("no name", shard([]), .invalid(field: "name of a shard", reason: "empty")),
    Case(
      "a name elsewhere", shard(Array("../x".utf8)),
      .invalid(field: "name of a shard", reason: "not a plain name")),
    Case(
      "the folder above", shard(Array("..".utf8)),
      .invalid(field: "name of a shard", reason: "not a plain name")),
  ]

  @Test(arguments: cases) func isRefused(_ malformed: Case) {
    #expect(throws: malformed.error) { try WireCodec.decodeWorkerMessage(malformed.frames) }
    #expect(!"\(malformed.error)".contains("\n"))
  }

  /// What a peer says goes to logs and terminals.
  @Test func wordsAreFitForATerminal() throws {
    let evil = "gpu\u{1B}]0;x\u{7} größe\n[info]\u{202E}"
    let fields =
      Bytes.text(2, evil + String(repeating: "v", count: 100))
      + Bytes.text(3, evil + String(repeating: "h", count: 1000)) + Bytes.text(6, evil)
    let failed = Bytes.data(8, Bytes.attempt() + Bytes.number(2, 1) + Bytes.text(3, evil))
    for frames in [Self.hello(fields), [failed]] {
      switch try WireCodec.decodeWorkerMessage(frames) {
      case .hello(let told):
        #expect(told.kernelFingerprint == "gpu ]0;x  größe [info]")
        #expect(told.host.hasPrefix("gpu ]0;x") && told.host.unicodeScalars.count == 256)
        #expect(told.softwareVersion.unicodeScalars.count == 65)
      case .taskFailed(let told): #expect(told.reason == "gpu ]0;x  größe [info]")
      default: Issue.record("another message")
      }
    }
  }

  /// Empty parts of 2 bytes each: their structs and protobuf-c's notes on them would take many
  /// times the header.
  @Test func unpackingIsBounded() {
    let part = Bytes.data(3, [])
    let header = Array(
      repeatElement(part, count: Limits.headerFrameBytes / part.count).joined())
    #expect(throws: WireError.malformedHeader(byteCount: header.count)) {
      try WireCodec.decodeWorkerMessage([header])
    }
  }

  /// Nested far deeper than any type: protobuf-c must not follow.
  @Test func nestingIsNotFollowed() {
    var header: [UInt8] = []
    while header.count < Limits.headerFrameBytes - 8 { header = Bytes.data(1, header) }
    #expect(throws: WireError.self) { try WireCodec.decodeWorkerMessage([header]) }
    #expect(throws: WireError.self) { try WireCodec.decodeCoordinatorMessage([header]) }
  }
}
