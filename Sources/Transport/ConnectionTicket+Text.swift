extension ConnectionTicket {
  /// The first line: what the text is, and the version of its form.
  public static let firstLine = "flap-connect 1"
  /// The last line, by which a reader of standard input knows that it has all.
  public static let lastLine = "end"

  /// Reads what ``text`` writes; the fields between the first and the last line come in any order.
  public init(text: String) throws(TicketError) {
    let fields = try TicketFields(text: text)
    try self.init(
      endpoint: fields.value(of: .endpoint) { Self.isEndpoint($0) ? $0 : nil },
      run: fields.value(of: .run) { Self.isRun($0) ? $0 : nil },
      keys: fields.keys())
  }

  /// One field per line; it holds the worker's secret key.
  public var text: String {
    var lines = [Self.firstLine, line(.endpoint, endpoint), line(.run, run)]
    if let keys {
      lines += [
        line(.serverKey, keys.server.z85),
        line(.clientPublicKey, keys.client.publicKey.z85),
        line(.clientSecretKey, keys.client.secretKey.z85),
      ]
    }
    return (lines + [Self.lastLine, ""]).joined(separator: "\n")
  }

  private func line(_ field: TicketError.Field, _ value: String) -> String {
    "\(field.rawValue) \(value)"
  }
}
