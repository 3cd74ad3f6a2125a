internal import FlapCore

/// One line of a hosts file that names a host.
struct HostLine {
  static let keys = "lanes, threads, memory, numa, worker, model, env.NAME"
  /// Older spellings, read as the keys that they are.
  private static let aliases = ["slots": "lanes"]
  /// Most lanes or threads of a host.
  static let countLimit = Limits.threadCount

  let address: HostAddress
  private(set) var settings = HostEntry(host: "")

  /// - Parameters:
  ///   - text: without its end of line.
  ///   - limit: most hosts.
  /// - Returns: nil for a blank line or one that is all comment.
  init?(_ text: ArraySlice<UInt8>, limit: Int) throws(HostsFileError.Code) {
    let words = try HostLine.words(text)
    guard let first = words.first else { return nil }
    address = try HostAddress(first[...], limit: limit)
    var keys: Set<String> = []
    for word in words.dropFirst() {
      guard let equals = word.firstIndex(of: UInt8(ascii: "=")) else {
        throw .notAnAssignment(PlainText.quotable(word))
      }
      let name = String(decoding: word[..<equals], as: UTF8.self)
      let key = HostLine.aliases[name] ?? name
      try set(key, to: String(decoding: word[(equals + 1)...], as: UTF8.self))
      guard keys.insert(key).inserted else { throw .doubledKey(PlainText.line(key, limit: 60)) }
    }
  }

  /// One entry for each host of the line.
  func entries(line: Int) -> [HostEntry] {
    address.hosts.map { host in
      var entry = settings
      entry.user = address.user
      entry.host = host
      entry.port = address.port
      entry.line = line
      return entry
    }
  }

  private mutating func set(_ key: String, to value: String) throws(HostsFileError.Code) {
    switch key {
    case "lanes":
      guard WholeNumber.parse(value.utf8) != 0 else { throw .noLanes }
      settings.lanes = try HostLine.count(key, value)
    case "threads": settings.threads = try HostLine.count(key, value)
    case "memory":
      guard let bytes = WholeNumber.parseBytes(value) else {
        throw .badMemory(PlainText.line(value, limit: 60))
      }
      settings.memoryBytes = bytes
    case "numa":
      guard ["on", "off"].contains(value) else {
        throw .badSwitch(key: key, value: PlainText.line(value, limit: 60))
      }
      settings.usesMemoryNodes = value == "on"
    case "worker": settings.workerProgram = try HostLine.path(key, value)
    case "model":
      settings.modelDirectory =
        HubName(value)?.hasOwner == true ? value : try HostLine.path(key, value)
    case _ where key.hasPrefix("env."):
      let name = String(key.dropFirst("env.".count))
      guard HostLine.isVariableName(name) else {
        throw .badVariableName(PlainText.line(name, limit: 60))
      }
      settings.environment.append(.init(name: name, value: value))
    default: throw .unknownKey(PlainText.line(key, limit: 60))
    }
  }

  private static func count(_ key: String, _ value: String) throws(HostsFileError.Code) -> Int {
    guard let count = WholeNumber.parse(value.utf8), (1...countLimit).contains(count) else {
      throw .badNumber(key: key, value: PlainText.line(value, limit: 60), limit: countLimit)
    }
    return count
  }

  private static func path(_ key: String, _ value: String) throws(HostsFileError.Code) -> String {
    guard value.hasPrefix("/") else {
      throw .relativePath(key: key, value: PlainText.line(value, limit: 60))
    }
    return value
  }

  /// A name as POSIX has it: letters, digits and `_`, no digit first.
  private static func isVariableName(_ name: String) -> Bool {
    guard let first = name.utf8.first, !(UInt8(ascii: "0")...UInt8(ascii: "9")).contains(first)
    else { return false }
    return name.utf8.allSatisfy { byte in
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
        true
      default: false
      }
    }
  }
}

extension HostLine {
  /// The words of a line, up to its comment, quotes around a value taken off.
  private static func words(_ text: ArraySlice<UInt8>) throws(HostsFileError.Code) -> [[UInt8]] {
    var words: [[UInt8]] = []
    var rest = text.drop(while: isBlank)
    while let first = rest.first, first != UInt8(ascii: "#") {
      words.append(try takeWord(&rest))
      rest = rest.drop(while: isBlank)
    }
    return words
  }

  private static func takeWord(
    _ rest: inout ArraySlice<UInt8>
  ) throws(HostsFileError.Code) -> [UInt8] {
    let quote = UInt8(ascii: "\"")
    let end = rest.firstIndex { isBlank($0) || $0 == quote } ?? rest.endIndex
    var word = Array(rest[..<end])
    rest = rest[end...]
    guard rest.first == quote else { return word }
    // A quote stands only where a value begins.
    guard let equals = word.firstIndex(of: UInt8(ascii: "=")), equals == word.count - 1,
      let closing = rest.dropFirst().firstIndex(of: quote)
    else { throw .unbalancedQuote }
    word += rest[(rest.startIndex + 1)..<closing]
    rest = rest[(closing + 1)...]
    guard rest.first.map(isBlank) ?? true else { throw .textAfterQuote }
    return word
  }

  private static func isBlank(_ byte: UInt8) -> Bool {
    byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t")
  }
}
