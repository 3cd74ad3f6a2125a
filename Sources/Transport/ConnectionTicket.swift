/// What a worker needs to join a run: where to connect, and by which keys.
///
/// As ``text`` it travels over standard input or in a file that only its owner can read.
public struct ConnectionTicket: Hashable, Sendable {
  /// The keys of a run with CURVE.
  public struct Keys: Hashable, Sendable {
    /// The public key of the coordinator.
    public let server: CurveKey
    /// The worker's own pair.
    public let client: CurveKeyPair

    public init(server: CurveKey, client: CurveKeyPair) {
      self.server = server
      self.client = client
    }
  }

  /// Longest ``text``, in bytes.
  public static let byteLimit = 4096

  /// The coordinator's, as `tcp://host:port`.
  public let endpoint: String
  /// The run that the ticket is for: 1…64 letters, digits, dots, hyphens or underscores.
  public let run: String
  /// nil for a run without encryption.
  public let keys: Keys?

  /// - Throws: ``TicketError`` when `endpoint` or `run` is not of its form.
  public init(endpoint: String, run: String, keys: Keys?) throws(TicketError) {
    guard Self.isEndpoint(endpoint) else {
      throw TicketError(line: nil, problem: .badValue(.endpoint))
    }
    guard Self.isRun(run) else { throw TicketError(line: nil, problem: .badValue(.run)) }
    self.endpoint = endpoint
    self.run = run
    self.keys = keys
  }

  /// For the worker's socket.
  public var security: SocketSecurity {
    keys.map { .curveClient(server: $0.server, $0.client) } ?? .plain
  }

  /// The endpoint's parts; an IPv6 address without its brackets.
  public var hostAndPort: (host: String, port: String) {
    let place = endpoint.dropFirst("tcp://".count)
    let colon = place.lastIndex(of: ":")!
    let host = place[..<colon].filter { $0 != "[" && $0 != "]" }
    return (String(host), String(place[place.index(after: colon)...]))
  }

  // MARK: Forms

  /// A name or address (IPv6 in brackets) and a port from 1 to 65535 without leading zeros;
  /// whether the host is one, connecting tells.
  static func isEndpoint(_ text: String) -> Bool {
    let scheme = "tcp://"
    guard text.utf8.count <= 300, text.hasPrefix(scheme) else { return false }
    let place = text.dropFirst(scheme.count)
    guard let colon = place.lastIndex(of: ":") else { return false }
    let port = place[place.index(after: colon)...]
    guard let number = UInt16(port), number > 0, String(number) == port else { return false }
    let host = place[..<colon]
    guard host.hasPrefix("["), host.hasSuffix("]") else {
      return !host.isEmpty && host.utf8.allSatisfy { isNameByte($0) }
    }
    let address = host.dropFirst().dropLast()
    return !address.isEmpty
      && address.utf8.allSatisfy {
        isNameByte($0) || $0 == UInt8(ascii: ":") || $0 == UInt8(ascii: "%")
      }
  }

  static func isRun(_ text: String) -> Bool {
    (1...64).contains(text.utf8.count) && text.utf8.allSatisfy { isNameByte($0) }
  }

  private static func isNameByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"),
      UInt8(ascii: "_"):
      true
    default: false
    }
  }
}
