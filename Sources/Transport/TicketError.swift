/// Why a text is no ``ConnectionTicket``. Nothing of the text itself is shown: it holds keys.
public struct TicketError: Error, Hashable, Sendable {
  public enum Field: String, CaseIterable, Hashable, Sendable {
    case endpoint
    case run
    case serverKey = "server-key"
    case clientPublicKey = "client-public-key"
    case clientSecretKey = "client-secret-key"
  }

  public enum Problem: Hashable, Sendable {
    /// More than ``ConnectionTicket/byteLimit`` bytes.
    case tooLong
    /// Something else than printable ASCII, single spaces and line feeds.
    case strangeCharacter
    /// The first line is another one than `flap-connect 1`.
    case otherFormat
    case unknownField
    case doubledField(Field)
    case missingField(Field)
    /// Some of the three keys are there, this one is not.
    case missingKey(Field)
    case badValue(Field)
    /// The client's two keys are no pair.
    case unequalPair
    /// There is no last line `end`: the text was cut.
    case noEnd
    case textAfterEnd
  }

  /// Counted from 1; nil when the problem is in no single line.
  public let line: Int?
  public let problem: Problem

  public init(line: Int?, problem: Problem) {
    self.line = line
    self.problem = problem
  }
}

extension TicketError: CustomStringConvertible {
  public var description: String {
    "connection ticket\(line.map { ", line \($0)" } ?? ""): \(problem.text)"
  }
}

extension TicketError.Problem {
  fileprivate var text: String {
    switch self {
    case .tooLong:
      "it is longer than \(ConnectionTicket.byteLimit) bytes; give the file that flap-coord wrote"
    case .strangeCharacter:
      "a character that no ticket has; copy the ticket as it is, with LF line ends"
    case .otherFormat:
      "it does not begin with \"\(ConnectionTicket.firstLine)\"; "
        + "give the file that flap-coord of this version wrote"
    case .unknownField:
      "unknown field; known are "
        + TicketError.Field.allCases.map(\.rawValue).joined(separator: ", ")
    case .doubledField(let field): "\(field.rawValue) is given twice; remove one"
    case .missingField(let field): "\(field.rawValue) is missing; copy the whole ticket"
    case .missingKey(let field): "\(field.rawValue) is missing; give all three keys, or none"
    case .badValue(let field): "\(field.rawValue) is not \(field.expectation)"
    case .unequalPair:
      "client-public-key and client-secret-key do not belong together; copy both from one ticket"
    case .noEnd: "the last line \"\(ConnectionTicket.lastLine)\" is missing; copy the whole ticket"
    case .textAfterEnd: "text after \"\(ConnectionTicket.lastLine)\"; remove it"
    }
  }
}

extension TicketError.Field {
  fileprivate var expectation: String {
    switch self {
    case .endpoint: "of the form tcp://host:port, with an address in brackets if it is IPv6"
    case .run: "1 to 64 letters, digits, dots, hyphens or underscores"
    case .serverKey, .clientPublicKey, .clientSecretKey: "a key: 40 characters of Z85"
    }
  }
}
