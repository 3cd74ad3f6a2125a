internal import Foundation

extension RunEvent {
  /// Longest text of a field, in Unicode scalars: hosts and reasons come from peers.
  public static let textLimit = 1000

  /// The event as one line of JSON, with its end.
  ///
  /// No text can end the line or move a terminal's cursor: control and direction characters are
  /// escaped, also those that JSON would allow.
  public var line: String {
    var line = JSONLine()
    line.add(.time, text: time.formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true)))
    line.add(.kind, text: kind.rawValue)
    line.add(.attempt, text: attempt)
    line.add(.other, text: other)
    line.add(.work, text: work)
    line.add(.worker, text: worker)
    line.add(.host, text: host)
    line.add(.process, process)
    line.add(.reason, text: reason)
    line.add(.phase, text: phase)
    line.add(.unit, text: unit)
    line.add(.units, units)
    line.add(.tasks, tasks)
    line.add(.done, done)
    line.add(.fraction, fraction)
    line.add(.seconds, seconds)
    line.add(.results, results)
    line.add(.version, text: version)
    line.add(.command, command)
    line.add(.options, options)
    line.add(.workers, workers)
    line.add(.story, story)
    return line.finished
  }

  /// - Returns: nil for a line that is no event, or is one of a later version.
  public init?(line: some Sequence<UInt8>) {
    let decoder = JSONDecoder()
    decoder.dateDecodingStrategy = .custom(Self.date)
    guard let event = try? decoder.decode(RunEvent.self, from: Data(line)) else { return nil }
    self = event
  }

  static let style = Date.ISO8601FormatStyle(includingFractionalSeconds: true)

  @Sendable static func date(_ decoder: any Decoder) throws -> Date {
    try style.parse(try decoder.singleValueContainer().decode(String.self))
  }
}

/// A JSON object that grows field by field. Events come by the thousand: their few kinds of fields
/// are written without an encoder.
private struct JSONLine {
  private var text = "{"

  mutating func add(_ key: RunEvent.CodingKeys, text value: String?) {
    guard let value else { return }
    begin(key)
    text += "\""
    for (index, scalar) in value.unicodeScalars.enumerated() {
      guard index < RunEvent.textLimit else {
        text += "…"
        break
      }
      switch scalar {
      case "\"": text += "\\\""
      case "\\": text += "\\\\"
      default: add(scalar)
      }
    }
    text += "\""
  }

  mutating func add(_ key: RunEvent.CodingKeys, _ value: Int?) {
    guard let value else { return }
    begin(key)
    text += String(value)
  }

  mutating func add(_ key: RunEvent.CodingKeys, _ value: Double?) {
    guard let value, value.isFinite else { return }
    begin(key)
    text += "\(value)"
  }

  /// - Parameter value: something without numbers that JSON does not have.
  mutating func add<Value: Encodable>(_ key: RunEvent.CodingKeys, _ value: Value?) {
    guard let value else { return }
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    encoder.dateEncodingStrategy = .custom { date, encoder in
      var container = encoder.singleValueContainer()
      try container.encode(date.formatted(RunEvent.style))
    }
    guard let json = try? encoder.encode(value) else { return }
    begin(key)
    for scalar in String(decoding: json, as: UTF8.self).unicodeScalars { add(scalar) }
  }

  var finished: String { text + "}\n" }

  private mutating func begin(_ key: RunEvent.CodingKeys) {
    if text.utf8.count > 1 { text += "," }
    text += "\"\(key.rawValue)\":"
  }

  private mutating func add(_ scalar: Unicode.Scalar) {
    guard JSONLine.isEscaped(scalar) else { return text.unicodeScalars.append(scalar) }
    let digits = String(scalar.value, radix: 16)
    text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
  }

  /// Control characters, ends of lines and directions of writing.
  private static func isEscaped(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0..<0x20, 0x7F..<0xA0, 0x200E, 0x200F, 0x2028...0x202E, 0x2066...0x2069: true
    default: false
    }
  }
}
