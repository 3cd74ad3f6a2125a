import FlapTestKit
import Testing
import Transport

@Suite struct ConnectionTicketTests {
  /// The client's pair of the manual, zmq_curve(7).
  private static let lines = [
    "flap-connect 1",
    "endpoint tcp://10.1.2.3:5555",
    "run 9f3a",
    "server-key rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7",
    "client-public-key Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID",
    "client-secret-key D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs",
    "end",
  ]
  private static let text = lines.joined(separator: "\n") + "\n"

  /// `lines` with one of them replaced, or left out.
  private static func with(_ line: Int, _ replacement: String?) -> String {
    var lines = lines
    lines.replaceSubrange((line - 1)..<line, with: replacement.map { [$0] } ?? [])
    return lines.joined(separator: "\n") + "\n"
  }

  private static let malformations: [(String, Int?, TicketError.Problem)] = [
    ("", 1, .otherFormat),
    ("\n" + text, 1, .otherFormat),
    (with(1, "flap-connect 2"), 1, .otherFormat),
    (with(1, "flap-connect 1 "), 1, .otherFormat),
    (with(2, nil), nil, .missingField(.endpoint)),
    (with(3, nil), nil, .missingField(.run)),
    (with(4, nil), nil, .missingKey(.serverKey)),
    (with(5, nil), nil, .missingKey(.clientPublicKey)),
    (with(6, nil), nil, .missingKey(.clientSecretKey)),
    (with(7, nil), nil, .noEnd),
    (with(7, "END"), 7, .unknownField),
    (with(7, "end "), 7, .unknownField),
    (text + "\n", 8, .textAfterEnd),
    (text + "run 1", 8, .textAfterEnd),
    (text + text, 8, .textAfterEnd),
    (with(3, "run 9f3a\nrun 9f3a"), 4, .doubledField(.run)),
    (with(6, lines[5] + "\n" + lines[5]), 7, .doubledField(.clientSecretKey)),
    (with(3, "run 9f3a\nport 1"), 4, .unknownField),
    (with(3, "run 9f3a\n"), 4, .unknownField),
    (with(3, "Run 9f3a"), 3, .unknownField),
    (with(3, " run 9f3a"), 3, .unknownField),
    (with(3, "run 9f3a\r"), 3, .strangeCharacter),
    (with(3, "run\t9f3a"), 3, .strangeCharacter),
    (with(3, "run 9f3a\u{7F}"), 3, .strangeCharacter),
    (with(3, "run 9fä"), 3, .strangeCharacter),
    (with(2, "endpoint"), 2, .badValue(.endpoint)),
    (with(3, "run"), 3, .badValue(.run)),
    (with(3, "run "), 3, .badValue(.run)),
    (with(3, "run  9f3a"), 3, .badValue(.run)),
    (with(3, "run 9f 3a"), 3, .badValue(.run)),
    (with(3, "run ../9f3a"), 3, .badValue(.run)),
    (with(3, "run " + String(repeating: "x", count: 65)), 3, .badValue(.run)),
    (with(4, "server-key"), 4, .badValue(.serverKey)),
    (with(4, String(lines[3].dropLast())), 4, .badValue(.serverKey)),
    (with(5, lines[4] + "0"), 5, .badValue(.clientPublicKey)),
    (with(6, String(lines[5].dropLast()) + "~"), 6, .badValue(.clientSecretKey)),
    (with(5, "client-public-key rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7"), nil, .unequalPair),
    (with(3, "run " + String(repeating: "x", count: 4096)), nil, .tooLong),
    (String(repeating: "\n", count: 4097), nil, .tooLong),
  ]

  @Test func ticketComesBack() throws {
    let ticket = try ConnectionTicket(text: Self.text)
    #expect(ticket.endpoint == "tcp://10.1.2.3:5555")
    #expect(ticket.run == "9f3a")
    #expect(ticket.keys?.client.publicKey.z85 == "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID")
    #expect(ticket.text == Self.text)

    let pair = try CurveKeyPair.generate()
    let server = try CurveKeyPair.generate().publicKey
    let made = try ConnectionTicket(
      endpoint: "tcp://[fe80::1%eth0]:1", run: String(repeating: "x", count: 64),
      keys: .init(server: server, client: pair))
    #expect(try ConnectionTicket(text: made.text) == made)
    let plain = try ConnectionTicket(
      endpoint: "tcp://node-7.cluster:65535", run: "A.b_c-1", keys: nil)
    #expect(plain.text == "flap-connect 1\nendpoint tcp://node-7.cluster:65535\nrun A.b_c-1\nend\n")
    #expect(try ConnectionTicket(text: plain.text) == plain)
  }

  @Test func orderAndLastLineFeedAreFree() throws {
    let ticket = try ConnectionTicket(text: Self.text)
    let middle = Self.lines.dropFirst().dropLast().reversed()
    let shuffled = [Self.lines[0]] + middle + ["end"]
    #expect(try ConnectionTicket(text: shuffled.joined(separator: "\n")) == ticket)
  }

  @Test func ticketOpensTheDoor() throws {
    let server = try Server()
    let pair = try CurveKeyPair.generate()
    server.authenticator.allow([pair.publicKey])
    let given = try ConnectionTicket(
      endpoint: server.endpoint, run: "1",
      keys: .init(server: server.keys.publicKey, client: pair))
    let ticket = try ConnectionTicket(text: given.text)
    let client = try server.client(security: ticket.security, endpoint: ticket.endpoint)
    try client.send([[1]])
    #expect(try server.router.next().userID == pair.publicKey.z85)
  }

  @Test(arguments: malformations)
  func malformation(_ text: String, line: Int?, problem: TicketError.Problem) throws {
    let error = try #require(throws: TicketError.self) { try ConnectionTicket(text: text) }
    #expect(error.line == line)
    #expect(error.problem == problem)
    let description = error.description
    let place = line.map { ", line \($0)" } ?? ""
    #expect(description.hasPrefix("connection ticket\(place): "))
    #expect(description.utf8.allSatisfy { (0x20...0x7E).contains($0) })
    for key in Self.lines[3...5] {
      #expect(!description.contains(key.split(separator: " ")[1].prefix(8)))
    }
  }

  @Test(arguments: [
    "", "tcp://", "tcp://host", "tcp://:1", "tcp://host:", "tcp://host:0", "tcp://host:65536",
    "tcp://host:+1", "tcp://host:01", "tcp://host:*", "tcp://*:1", "tcp://host:1 ",
    "tcp://ho st:1", "tcp://a;b:1", "tcp://::1:1", "tcp://[]:1", "tcp://[::1:1", "tcp://::1]:1",
    "tcp://host/x:1", "TCP://host:1", "ipc://x", "inproc://x", "host:1", "tcp://hö:1",
    "tcp://" + String(repeating: "x", count: 300) + ":1",
  ])
  func endpointThatIsNone(_ endpoint: String) throws {
    let error = try #require(throws: TicketError.self) {
      try ConnectionTicket(endpoint: endpoint, run: "1", keys: nil)
    }
    #expect(
      error.description == "connection ticket: endpoint is not of the form tcp://host:port, "
        + "with an address in brackets if it is IPv6")
    #expect(throws: TicketError.self) {
      try ConnectionTicket(text: "flap-connect 1\nendpoint \(endpoint)\nrun 1\nend\n")
    }
  }

  @Test func descriptionsTellWhatToDo() {
    #expect(
      TicketError(line: 4, problem: .doubledField(.run)).description
        == "connection ticket, line 4: run is given twice; remove one")
    #expect(
      TicketError(line: nil, problem: .missingKey(.clientSecretKey)).description
        == "connection ticket: client-secret-key is missing; give all three keys, or none")
    #expect(
      TicketError(line: 2, problem: .unknownField).description
        == "connection ticket, line 2: unknown field; known are endpoint, run, server-key, "
        + "client-public-key, client-secret-key")
  }

  /// Whatever the text: a ticket that reads back the same, or an error on a line of the text.
  @Test func randomTexts() {
    var generator = SeededGenerator(seed: 6)
    var ticketCount = 0
    for _ in 0..<FuzzCount.perTest {
      let text = mutated(&generator)
      do {
        let ticket = try ConnectionTicket(text: text)
        ticketCount += 1
        #expect((try? ConnectionTicket(text: ticket.text)) == ticket)
      } catch {
        let lineCount = text.utf8.count { $0 == UInt8(ascii: "\n") } + 1
        #expect(error.line.map { (1...lineCount).contains($0) } ?? true)
      }
    }
    // Some mutations are mild: another run, another order.
    #expect(ticketCount > FuzzCount.perTest / 100)
  }

  private func mutated(_ generator: inout SeededGenerator) -> String {
    var lines = Self.lines
    if generator.chance(0.3) {
      let middle = lines[1..<6].shuffled(using: &generator)
      lines.replaceSubrange(1..<6, with: middle)
    }
    if generator.chance(0.2) {
      lines.remove(at: Int.random(in: 0..<lines.count, using: &generator))
    }
    if generator.chance(0.2) {
      let line = Self.lines.randomElement(using: &generator) ?? ""
      lines.insert(line, at: Int.random(in: 0...lines.count, using: &generator))
    }
    var bytes = Array(lines.joined(separator: "\n").utf8)
    for _ in 0..<Int.random(in: 0...3, using: &generator) {
      let index = Int.random(in: 0..<bytes.count, using: &generator)
      let byte = UInt8.random(in: 0...255, using: &generator)
      switch Int.random(in: 0..<5, using: &generator) {
      case 0: bytes[index] = byte
      case 1: bytes[index] = UInt8.random(in: 0x20...0x7E, using: &generator)
      case 2: bytes.insert(byte, at: index)
      case 3: bytes.remove(at: index)
      default: bytes.removeSubrange(index...)
      }
      if bytes.isEmpty { break }
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}
