/// The lines of a ticket by their fields; what is wrong with one is told by its number.
struct TicketFields {
  private struct Value {
    let text: String
    let line: Int
  }

  private var values: [TicketError.Field: Value] = [:]

  /// - Throws: ``TicketError`` when the text is too long or has other lines than a ticket.
  init(text: String) throws(TicketError) {
    // Counted first: nothing of a longer text is looked at.
    guard text.utf8.count <= ConnectionTicket.byteLimit else {
      throw TicketError(line: nil, problem: .tooLong)
    }
    var lines = text.utf8.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
    // What follows the line feed that ends the last line is none.
    if lines.last?.isEmpty ?? false { lines.removeLast() }
    guard let first = lines.first, first.elementsEqual(ConnectionTicket.firstLine.utf8) else {
      throw TicketError(line: 1, problem: .otherFormat)
    }
    for (number, bytes) in zip(2..., lines.dropFirst()) {
      guard bytes.allSatisfy({ (0x20...0x7E).contains($0) }) else {
        throw TicketError(line: number, problem: .strangeCharacter)
      }
      let line = String(decoding: bytes, as: UTF8.self)
      if line == ConnectionTicket.lastLine {
        guard number == lines.count else {
          throw TicketError(line: number + 1, problem: .textAfterEnd)
        }
        return
      }
      try add(line, number: number)
    }
    throw TicketError(line: nil, problem: .noEnd)
  }

  private mutating func add(_ line: String, number: Int) throws(TicketError) {
    let name = line.prefix { $0 != " " }
    guard let field = TicketError.Field(rawValue: String(name)) else {
      throw TicketError(line: number, problem: .unknownField)
    }
    let value = Value(text: String(line.dropFirst(name.count + 1)), line: number)
    guard values.updateValue(value, forKey: field) == nil else {
      throw TicketError(line: number, problem: .doubledField(field))
    }
  }

  /// - Parameter convert: gives nil for a text that is not of the field's form.
  func value<Result>(
    of field: TicketError.Field, _ convert: (String) -> Result?
  ) throws(TicketError) -> Result {
    guard let value = values[field] else {
      throw TicketError(line: nil, problem: .missingField(field))
    }
    guard let result = convert(value.text) else {
      throw TicketError(line: value.line, problem: .badValue(field))
    }
    return result
  }

  /// - Returns: nil when none of the three keys is there.
  func keys() throws(TicketError) -> ConnectionTicket.Keys? {
    let fields: [TicketError.Field] = [.serverKey, .clientPublicKey, .clientSecretKey]
    guard fields.contains(where: { values[$0] != nil }) else { return nil }
    for field in fields where values[field] == nil {
      throw TicketError(line: nil, problem: .missingKey(field))
    }
    let server = try value(of: .serverKey) { CurveKey(z85: $0) }
    let publicKey = try value(of: .clientPublicKey) { CurveKey(z85: $0) }
    let secretKey = try value(of: .clientSecretKey) { CurveSecretKey(z85: $0) }
    // Deriving fails only in a library without CURVE, and then no socket takes the keys either.
    guard let pair = try? CurveKeyPair(secretKey: secretKey), pair.publicKey == publicKey else {
      throw TicketError(line: nil, problem: .unequalPair)
    }
    return ConnectionTicket.Keys(server: server, client: pair)
  }
}
