import FlapCore
import Testing
import Wire

@Suite struct MalformedPeerMessageTests {
  typealias Case = MalformedWorkerMessageTests.Case
  private typealias Bytes = ProtobufBytes

  private static let digest = Bytes.data(1, Samples.digest.bytes)
  private static let shortDigest = Bytes.data(1, Samples.digest.bytes.dropLast())
  private static let one = Bytes.number(3, 1)

  static let anyCases: [Case] = [
    Case("no frames", [], .frameCount(found: 0)),
    Case(
      "too many frames", Array(repeating: [], count: Limits.framesPerMessage + 1),
      .frameCount(found: Limits.framesPerMessage + 1)),
    Case("no protobuf", [[0xFF, 0xFF]], .malformedHeader(byteCount: 2)),
    Case("a part cut off", [[0x0A, 0x05, 0x08]], .malformedHeader(byteCount: 3)),
    Case(
      "a long header", [[UInt8](repeating: 0, count: Limits.headerFrameBytes + 1)],
      .frameTooLong(
        frame: 0, byteCount: Limits.headerFrameBytes + 1, limit: Limits.headerFrameBytes)),
    Case("an empty header", [[]], .invalid(field: "digest of a file", reason: "0 bytes")),
  ]

  static let requestCases: [Case] =
    anyCases + [
      Case(
        "a short digest", [shortDigest + one],
        .invalid(field: "digest of a file", reason: "31 bytes")),
      Case(
        "an offset beyond all files", [digest + Bytes.number(2, 1 << 53 + 1) + one],
        .invalid(field: "offset of a part", reason: "9007199254740993")),
      Case("no bytes", [digest], .invalid(field: "size of a part", reason: "0")),
      Case(
        "more than a chunk", [digest + Bytes.number(3, UInt64(Limits.chunkBytes) + 1)],
        .invalid(field: "size of a part", reason: "1048577")),
      Case("a frame nobody announced", [digest + one, [1]], .frameCount(found: 2)),
    ]

  static let replyCases: [Case] =
    anyCases + [
      Case(
        "a short digest", [shortDigest], .invalid(field: "digest of a file", reason: "31 bytes")),
      Case(
        "an offset beyond all files", [digest + Bytes.number(2, .max)],
        .invalid(field: "offset of a part", reason: "\(UInt64.max)")),
      Case("bytes that are missing", [digest + one], .frameCount(found: 1)),
      Case("bytes in two frames", [digest + one, [1], [2]], .frameCount(found: 3)),
      Case("bytes of nothing", [digest, [1]], .frameCount(found: 2)),
      Case("an empty frame", [digest + one, []], .invalid(field: "part", reason: "empty")),
      Case(
        "a long frame", [digest + one, [UInt8](repeating: 0, count: Limits.chunkBytes + 1)],
        .frameTooLong(frame: 1, byteCount: Limits.chunkBytes + 1, limit: Limits.chunkBytes)),
    ]

  @Test(arguments: requestCases) func requestIsRefused(_ malformed: Case) {
    #expect(throws: malformed.error) { try WireCodec.decodePeerRequest(malformed.frames) }
  }

  @Test(arguments: replyCases) func replyIsRefused(_ malformed: Case) {
    #expect(throws: malformed.error) { try WireCodec.decodePeerReply(malformed.frames) }
  }

  @Test func replyAnswersOneRequest() throws {
    let request = PeerRequest(digest: Samples.digest, offset: 5, byteCount: 2)
    try PeerReply(digest: Samples.digest, offset: 5, bytes: [1, 2]).check(answers: request)
    try PeerReply(digest: Samples.digest, offset: 5, bytes: nil).check(answers: request)

    let other = try #require(Digest(bytes: [UInt8](repeating: 1, count: 32)))
    #expect(throws: WireError.invalid(field: "digest of a reply", reason: other.hexadecimal)) {
      try PeerReply(digest: other, offset: 5, bytes: nil).check(answers: request)
    }
    #expect(throws: WireError.invalid(field: "offset of a reply", reason: "4")) {
      try PeerReply(digest: Samples.digest, offset: 4, bytes: [1, 2]).check(answers: request)
    }
    for bytes in [[1], [1, 2, 3]] as [[UInt8]] {
      #expect(
        throws: WireError.rawByteCount(of: "a reply", expected: 2, found: bytes.count)
      ) {
        try PeerReply(digest: Samples.digest, offset: 5, bytes: bytes).check(answers: request)
      }
    }
  }
}
