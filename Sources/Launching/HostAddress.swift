internal import FlapCore
internal import Glibc

/// The first word of a line: `[user@]host[:port]`, ranges expanded.
struct HostAddress {
  let user: String?
  /// At least one; IPv6 addresses without their brackets.
  let hosts: [String]
  let port: Int?

  /// - Parameter limit: most hosts.
  init(_ word: ArraySlice<UInt8>, limit: Int) throws(HostsFileError.Code) {
    var rest = word
    if let at = word.firstIndex(of: UInt8(ascii: "@")) {
      user = try HostAddress.user(word[..<at])
      rest = word[(at + 1)...]
    } else {
      user = nil
    }
    if let end = HostAddress.endOfBracketedAddress(rest) {
      hosts = [try HostAddress.address(rest[(rest.startIndex + 1)..<end])]
      port = try HostAddress.port(rest[(end + 1)...], of: rest[...end])
    } else {
      let end = HostRange.end(of: rest, before: UInt8(ascii: ":"))
      let isAddress = rest[end...].dropFirst().contains(UInt8(ascii: ":"))
      guard !isAddress else { throw .unbracketedAddress(PlainText.quotable(rest)) }
      port = try HostAddress.port(rest[end...], of: rest[..<end])
      hosts = try HostAddress.names(rest[..<end], limit: limit)
    }
  }

  private static func user(_ text: ArraySlice<UInt8>) throws(HostsFileError.Code) -> String {
    guard !text.isEmpty, text.first != UInt8(ascii: "-"), text.allSatisfy(isNameCharacter) else {
      throw .badUser(PlainText.quotable(text))
    }
    return String(decoding: text, as: UTF8.self)
  }

  /// The `]` of `[fe80::1]`; nil for a range, which has no `:` within.
  private static func endOfBracketedAddress(_ text: ArraySlice<UInt8>) -> Int? {
    guard text.first == UInt8(ascii: "["), let end = text.firstIndex(of: UInt8(ascii: "]")),
      text[..<end].contains(UInt8(ascii: ":"))
    else { return nil }
    return end
  }

  /// An IPv6 address, perhaps with the zone that a link-local one needs: `fe80::1%eth0`.
  private static func address(_ text: ArraySlice<UInt8>) throws(HostsFileError.Code) -> String {
    let percent = text.firstIndex(of: UInt8(ascii: "%")) ?? text.endIndex
    let number = String(decoding: text[..<percent], as: UTF8.self)
    let zone = text[percent...].dropFirst()
    var bytes = in6_addr()
    guard inet_pton(AF_INET6, number, &bytes) == 1,
      percent == text.endIndex || !zone.isEmpty && zone.allSatisfy(isNameCharacter),
      text.count <= HostRange.nameByteLimit
    else { throw .badAddress(PlainText.quotable(text)) }
    return String(decoding: text, as: UTF8.self)
  }

  /// - Parameter text: `:22`, or nothing.
  private static func port(
    _ text: ArraySlice<UInt8>, of host: ArraySlice<UInt8>
  ) throws(HostsFileError.Code) -> Int? {
    guard !text.isEmpty else { return nil }
    let digits = text.dropFirst()
    guard text.first == UInt8(ascii: ":"), let port = WholeNumber.parse(digits),
      (1...65535).contains(port)
    else { throw .badPort(PlainText.quotable(digits), host: PlainText.quotable(host)) }
    return port
  }

  private static func names(
    _ pattern: ArraySlice<UInt8>, limit: Int
  ) throws(HostsFileError.Code) -> [String] {
    let names: [[UInt8]]
    do throws(HostRangeError) {
      names = try HostRange.expand(pattern, limit: limit)
    } catch {
      throw .badRange(error, host: PlainText.quotable(pattern))
    }
    // All differ in digits only. A host that begins with `-` would be an option of ssh, one that
    // begins with `.` could be a folder where its log belongs.
    guard let first = names.first, let character = first.first,
      character != UInt8(ascii: "-"), character != UInt8(ascii: "."),
      first.allSatisfy(isNameCharacter)
    else { throw .badHost(PlainText.quotable(pattern)) }
    return names.map { String(decoding: $0, as: UTF8.self) }
  }

  private static func isNameCharacter(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"),
      UInt8(ascii: "_"):
      true
    default: false
    }
  }
}
