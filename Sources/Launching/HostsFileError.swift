/// What is wrong with a hosts file, and in which line.
public struct HostsFileError: Error, Hashable, Sendable {
  public enum Code: Error, Hashable, Sendable {
    case noHosts
    case fileTooLarge(byteCount: Int)
    case lineTooLong(byteCount: Int)
    /// No UTF-8.
    case invalidText
    case controlCharacter(code: UInt32)
    case unbalancedQuote
    case textAfterQuote
    /// A word after the host without `=`.
    case notAnAssignment(String)
    case unknownKey(String)
    case doubledKey(String)
    case badNumber(key: String, value: String, limit: Int)
    case noLanes
    case badMemory(String)
    case badSwitch(key: String, value: String)
    case relativePath(key: String, value: String)
    case badVariableName(String)
    case badUser(String)
    case badHost(String)
    case badAddress(String)
    case unbracketedAddress(String)
    case badPort(String, host: String)
    case badRange(HostRangeError, host: String)
    case duplicateHost(String, firstLine: Int)
  }

  public let code: Code
  /// From 1; nil where the whole file is meant.
  public let line: Int?

  public init(_ code: Code, line: Int?) {
    self.code = code
    self.line = line
  }
}

extension HostsFileError: CustomStringConvertible {
  public var description: String {
    (line.map { "hosts file, line \($0): " } ?? "hosts file: ") + reason
  }

  private var reason: String {
    switch code {
    case .noHosts: "names no host: write one host a line, such as `node1 lanes=4`"
    case .fileTooLarge(let byteCount):
      "holds \(byteCount) bytes, above the limit of \(HostsFile.fileByteLimit): "
        + "use ranges such as node[001-999]"
    case .lineTooLong(let byteCount):
      "holds \(byteCount) bytes, above the limit of \(HostsFile.lineByteLimit): shorten it"
    case .invalidText: "is not UTF-8: save the file as UTF-8"
    case .controlCharacter(let code):
      "holds the control character U+\(hexadecimal(code)): remove it"
    case .unbalancedQuote:
      "has an unbalanced \": quotes stand around a whole value, as in model=\"/my models\""
    case .textAfterQuote: "has text right after a closing \": put a blank between the settings"
    case .notAnAssignment(let word):
      "`\(word)` is not a setting: write key=value, as in lanes=4, without blanks around `=`"
    case .unknownKey(let key): "unknown key `\(key)`: known are \(HostLine.keys)"
    case .doubledKey(let key): "`\(key)` is given twice: keep one"
    case .badNumber(let key, let value, let limit):
      "\(key)=\(value) is not a whole number from 1 to \(limit)"
    case .noLanes: "lanes=0 leaves the host without work: remove the line, or write lanes=1 or more"
    case .badMemory(let value):
      "memory=\(value) is not an amount of memory: write a whole number and B, MB, GB, TB, MiB, GiB "
        + "or TiB, as in memory=64GB"
    case .badSwitch(let key, let value): "\(key)=\(value) is neither \(key)=on nor \(key)=off"
    case .relativePath(let key, let value):
      "\(key)=\(value) is not an absolute path: write the path on that host from its root, "
        + "as in \(key)=/opt/flap/\(key)"
        + (key == "model" ? ", or the model's name on the hub, OWNER/NAME" : "")
    case .badVariableName(let name):
      "`\(name)` is not the name of a variable: write env.NAME=VALUE with letters, digits and _"
    case .badUser(let user):
      "user `\(user)` is empty or holds other characters than letters, digits, `.`, `-`, `_`, "
        + "or begins with `-`: set such a user for the host in ~/.ssh/config"
    case .badHost(let host):
      "host `\(host)` is empty or holds other characters than letters, digits, `.`, `-`, `_`, "
        + "or begins with `-` or `.`: a line is `[user@]host[:sshport] key=value ...`"
    case .badAddress(let address): "`\(address)` is not an IPv6 address: write it as [fe80::1]:22"
    case .unbracketedAddress(let host):
      "`\(host)` has more than one `:`: write an IPv6 address in brackets, as in [fe80::1]:22"
    case .badPort(let port, let host):
      "`:\(port)` is not a port from 1 to 65535: `host:4` is an ssh port here; "
        + "lanes are `\(host) lanes=4`"
    case .badRange(let error, let host): "host `\(host)`: \(error)"
    case .duplicateHost(let host, let firstLine):
      firstLine == line
        ? "`\(host)` is twice in this line: correct the range"
        : "`\(host)` is already in line \(firstLine): keep one of the lines"
    }
  }

  private func hexadecimal(_ code: UInt32) -> String {
    let digits = String(code, radix: 16, uppercase: true)
    return String(repeating: "0", count: max(0, 4 - digits.count)) + digits
  }
}
