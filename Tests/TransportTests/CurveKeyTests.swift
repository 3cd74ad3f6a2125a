import Testing
import Transport

@Suite struct CurveKeyTests {
  /// The example of ZeroMQ's own manual, zmq_curve(7).
  private let manualText = "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7"

  @Test func keysOfTheManual() throws {
    let secretText = "JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh6"
    let ticket = try ConnectionTicket(
      text: """
        flap-connect 1
        endpoint tcp://127.0.0.1:5555
        run example
        server-key \(manualText)
        client-public-key Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID
        client-secret-key D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs
        end
        """)
    #expect(ticket.keys?.server == CurveKey(z85: manualText))
    // The manual's server pair, crossed with the client's, is none.
    let crossed = ticket.text.replacing(
      "D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs", with: secretText)
    #expect(throws: TicketError.self) { try ConnectionTicket(text: crossed) }
  }

  @Test func z85ComesBack() throws {
    for _ in 0..<50 {
      let pair = try CurveKeyPair.generate()
      #expect(CurveKey(z85: pair.publicKey.z85) == pair.publicKey)
      #expect(try CurveKeyPair(secretKey: pair.secretKey) == pair)
    }
    for byte in [UInt8.min, 1, 0x7F, 0x80, .max] {
      let key = try #require(CurveKey(bytes: [UInt8](repeating: byte, count: 32)))
      #expect(key.z85.utf8.count == 40)
      #expect(CurveKey(z85: key.z85) == key)
    }
    #expect(CurveKey(z85: manualText)?.z85 == manualText)
  }

  @Test func pairsDiffer() throws {
    let pairs = try (0..<20).map { _ in try CurveKeyPair.generate() }
    #expect(Set(pairs.map(\.publicKey)).count == 20)
    #expect(Set(pairs.map(\.secretKey)).count == 20)
  }

  @Test(arguments: [
    "", "short", "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf",
    "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf77",
    "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7rq:rM",
    // A space, a quote, a backslash and a letter of two bytes are not of Z85.
    "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf ", "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf\"",
    "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf\\", "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yé",
    // 85⁵ exceeds 2³²: these five characters stand for no 4 bytes.
    "#####>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7",
  ])
  func textThatIsNoKey(_ text: String) {
    #expect(CurveKey(z85: text) == nil)
  }

  @Test func textWithAZeroByteIsNoKey() {
    // Z85 up to there, where C stops.
    #expect(CurveKey(z85: "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H\0yf7") == nil)
  }

  @Test(arguments: [0, 31, 33])
  func bytesThatAreNoKey(count: Int) {
    #expect(CurveKey(bytes: [UInt8](repeating: 1, count: count)) == nil)
  }

  @Test func secretsAreNotShown() throws {
    let pair = try CurveKeyPair.generate()
    let server = try CurveKeyPair.generate().publicKey
    let ticket = try ConnectionTicket(
      endpoint: "tcp://127.0.0.1:1", run: "a", keys: .init(server: server, client: pair))
    let secretLine = ticket.text.split(separator: "\n").first { $0.contains("secret") }
    let secret = try #require(secretLine?.split(separator: " ").last)
    #expect(secret.utf8.count == 40)
    var shown = "\(pair.secretKey) \(pair) \(ticket) \(ticket.security)"
    debugPrint(pair.secretKey, pair, ticket, ticket.security, to: &shown)
    dump(ticket, to: &shown)
    #expect(shown.contains("(secret)"))
    #expect(!shown.contains(secret))
    // dump(_:to:) shows the bytes one by one where it can.
    var dumped = ""
    dump(pair.secretKey, to: &dumped)
    #expect(dumped == "- (secret)\n")
    #expect(String(describing: pair.secretKey) == "(secret)")
    #expect(String(reflecting: pair.secretKey) == "(secret)")
    #expect(Mirror(reflecting: pair.secretKey).children.isEmpty)
    #expect("\(pair.publicKey)" == pair.publicKey.z85)
  }
}
