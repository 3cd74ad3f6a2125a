import FlapCore
import Testing
import Transport

@Suite struct RefusalLinesTests {
  private let start = ContinuousClock.now

  private static func refusal(_ number: Int) -> Refusal {
    Refusal(address: "192.0.2.\(number)", reason: .unidentifiedMessage)
  }

  @Test func fewAreToldOneByOne() {
    var lines = RefusalLines(of: nil)
    #expect(lines.take(at: start) == [])
    for number in 0..<RefusalLines.burst { lines.note(Self.refusal(number)) }
    #expect(
      lines.take(at: start) == (0..<RefusalLines.burst).map { Self.refusal($0).description })
    #expect(lines.take(at: start + .seconds(60)) == [])
  }

  @Test func manyAreToldInSum() {
    var lines = RefusalLines(of: nil)
    for number in 0..<200 { lines.note(Self.refusal(number)) }
    // The last sixteen are known, and there is room for half of them.
    #expect(
      lines.take(at: start) == (184..<192).map { Self.refusal($0).description })
    for number in 200..<203 { lines.note(Self.refusal(number)) }
    #expect(lines.take(at: start + .milliseconds(900)) == [])
    #expect(
      lines.take(at: start + .seconds(1)) == [
        "and 195 more refusals, the last: \(Self.refusal(202))"
      ])
    #expect(lines.take(at: start + .seconds(5)) == [])
  }

  @Test func floodGivesOneLinePerSecond() {
    var lines = RefusalLines(of: nil)
    var told: [String] = []
    for tenth in 0..<600 {
      for number in 0..<5 { lines.note(Self.refusal(number)) }
      told += lines.take(at: start + .milliseconds(100 * tenth))
    }
    #expect(told.count <= RefusalLines.burst + 60)
    told += lines.take(at: start + .seconds(100))
    // Each of them is told, alone or in a sum.
    let sums = told.compactMap { $0.hasPrefix("and ") ? Int($0.split(separator: " ")[1]) : nil }
    #expect(sums.reduce(0, +) + told.count - sums.count == 3000)
  }

  @Test func whatAPeerSaysStaysOneLine() {
    var lines = RefusalLines(of: nil)
    let text = "no such\nthing\u{1B}[2J" + String(repeating: "é", count: 1000)
    lines.note(Refusal(address: "192.0.2.1", reason: .unreadableMessage(text)))
    let line = lines.take(at: start)[0]
    #expect(line.hasPrefix("refused 192.0.2.1: no such thing [2J"))
    #expect(line.unicodeScalars.count < 400 && line.contains("éé"))
    #expect(line.unicodeScalars.allSatisfy { !PlainText.isUnprintable($0) })
    lines.note(Refusal(address: "", reason: .unfitWorker("worker x\n refused: \u{9B}2J")))
    #expect(lines.take(at: start) == ["worker x  refused:  2J"])
  }

  @Test func authenticatorsRefusalsAreAmongThem() throws {
    let server = try Server()
    let client = try server.client(CurveKeyPair.generate())
    try client.send([[1]])
    var lines = RefusalLines(of: server.authenticator)
    #expect(try server.refuses(1))
    lines.note(Self.refusal(7))
    let told = lines.take()
    #expect(told.count == 2)
    #expect(told[0].hasPrefix("refused 127.0.0.1: its key"))
    #expect(told[1] == Self.refusal(7).description)
  }
}
