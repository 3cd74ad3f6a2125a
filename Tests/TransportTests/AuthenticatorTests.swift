import FlapTestKit
import Testing
import Transport

/// Questions put to the handler directly, as ZeroMQ does over inproc (RFC 27).
@Suite final class AuthenticatorTests {
  private static let known = [UInt8](repeating: 7, count: 32)
  private static let unknown = [UInt8](repeating: 8, count: 32)
  private let authenticator: Authenticator
  private let client: Socket

  init() throws {
    let context = try MessagingContext()
    let key = try #require(CurveKey(bytes: Self.known))
    authenticator = try Authenticator(context: context, allowing: [key])
    client = try Socket(context: context, kind: .dealer)
    try client.connect("inproc://zeromq.zap.01")
  }

  private static func question(
    version: String = "1.0", domain: String = "flap", address: String = "192.0.2.1",
    mechanism: String = "CURVE", credentials: [[UInt8]] = [known]
  ) -> [[UInt8]] {
    [version, "id", domain, address, "", mechanism].map { Array($0.utf8) } + credentials
  }

  private func answer(_ question: [[UInt8]]) throws -> [[UInt8]] {
    try client.send([[]] + question)
    return Array(try client.next().frames.dropFirst())
  }

  @Test func allowedKeyIsAcceptedUnderItsName() throws {
    let name = try #require(CurveKey(bytes: Self.known)).z85
    #expect(
      try answer(Self.question()) == ["1.0", "id", "200", "OK", name, ""].map { Array($0.utf8) })
    #expect(authenticator.refusalCount == 0)
  }

  @Test(arguments: [
    (question(credentials: [unknown]), Refusal.Reason.unknownKey(CurveKey(bytes: unknown)!)),
    (question(mechanism: "NULL", credentials: []), .otherMechanism),
    (question(mechanism: "NULL"), .otherMechanism),
    (question(mechanism: "PLAIN", credentials: [known, known]), .otherMechanism),
    (question(mechanism: "GSSAPI"), .otherMechanism),
    (question(mechanism: "curve"), .otherMechanism),
    (question(mechanism: ""), .otherMechanism),
    (question(version: "2.0"), .malformedRequest),
    (question(version: ""), .malformedRequest),
    (question(domain: ""), .malformedRequest),
    (question(domain: "other"), .malformedRequest),
    (question(credentials: []), .malformedRequest),
    (question(credentials: [known, known]), .malformedRequest),
    (question(credentials: [Array(known.dropLast())]), .malformedRequest),
    (question(credentials: [known + [7]]), .malformedRequest),
    (question(credentials: [Array(CurveKey(bytes: known)!.z85.utf8)]), .malformedRequest),
  ])
  func everythingElseIsRefused(_ question: [[UInt8]], reason: Refusal.Reason) throws {
    #expect(
      try answer(question) == ["1.0", "id", "400", "Refused", "", ""].map { Array($0.utf8) })
    #expect(
      authenticator.takeRefusals() == [Refusal(address: "192.0.2.1", reason: reason)])
  }

  @Test(arguments: 0...5)
  func questionThatIsCutIsRefused(frameCount: Int) throws {
    let status = try answer(Array(Self.question().prefix(frameCount)))[2]
    #expect(status == Array("400".utf8))
    #expect(authenticator.takeRefusals().map(\.reason) == [.malformedRequest])
  }

  @Test func endlessQuestionIsRefused() throws {
    let status = try answer([[UInt8]](repeating: [], count: 5000))[2]
    #expect(status == Array("400".utf8))
  }

  @Test func randomQuestionsAreRefused() throws {
    var generator = SeededGenerator(seed: 5)
    let count = 2000
    for _ in 0..<count {
      var question = Self.question()
      let index = Int.random(in: 0..<question.count, using: &generator)
      switch Int.random(in: 0..<3, using: &generator) {
      case 0: question[index].append(UInt8.random(in: 0...255, using: &generator))
      case 1: question.remove(at: index)
      default: question.insert([1], at: index)
      }
      // What is not judged: who asks, and from where.
      guard ![1, 3, 4].contains(index) || question.count != 7 else { continue }
      #expect(try answer(question)[2] == Array("400".utf8))
    }
    #expect(try answer(Self.question())[2] == Array("200".utf8))
    #expect(authenticator.refusalCount > count / 4)
  }

  @Test func lastRefusalsAreKept() throws {
    for number in 0..<50 {
      _ = try answer(Self.question(address: "192.0.2.\(number)", credentials: []))
    }
    #expect(authenticator.refusalCount == 50)
    let refusals = authenticator.takeRefusals()
    #expect(refusals.count == Authenticator.keptRefusalCount)
    #expect(refusals.first?.address == "192.0.2.34")
    #expect(refusals.last?.address == "192.0.2.49")
    #expect(authenticator.takeRefusals() == [])
    #expect(authenticator.refusalCount == 50)
  }

  @Test func refusalIsOneLine() throws {
    let address = "192.0.2.1\n\u{1B}[2J" + String(repeating: "x", count: 1000)
    _ = try answer(Self.question(address: address, credentials: []))
    let refusal = try #require(authenticator.takeRefusals().first)
    #expect(refusal.address.utf8.count <= 64)
    #expect(refusal.description.utf8.allSatisfy { (0x20...0x7E).contains($0) })
    let key = try #require(CurveKey(bytes: Self.unknown))
    #expect(
      Refusal(address: "192.0.2.1", reason: .unknownKey(key)).description
        == "refused 192.0.2.1: its key \(key.z85) is not allowed, or no longer")
    #expect(
      Refusal(address: "", reason: .unidentifiedMessage).description
        == "refused a peer of unknown address: its message comes without a proven key")
  }

  /// The list is replaced while questions are asked.
  @Test func listChangesAreSeenAtOnce() throws {
    let key = try #require(CurveKey(bytes: Self.known))
    for _ in 0..<200 {
      authenticator.revoke(key)
      #expect(try answer(Self.question())[2] == Array("400".utf8))
      authenticator.allow(key)
      #expect(try answer(Self.question())[2] == Array("200".utf8))
      authenticator.allow([])
      #expect(try answer(Self.question())[2] == Array("400".utf8))
      authenticator.allow([key])
      #expect(try answer(Self.question())[2] == Array("200".utf8))
    }
  }
}
