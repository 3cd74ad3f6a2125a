internal import FlapCore

/// The hosts that compute, one a line:
///
///     [user@]host[:sshport] [lanes=N] [threads=N] [memory=64GB] [numa=on|off] [worker=/path] [model=/path]
///       [env.NAME=VALUE]
///
/// (on one line). `#` at the line's start or after a blank begins a comment. A host may have
/// ranges, `node[01-16]` or `rack[1-2]-node[1,3,5-7]`, zero padding kept; an IPv6 address stands in
/// brackets. A value with blanks stands in double quotes.
public struct HostsFile: Hashable, Sendable {
  public static let fileByteLimit = 4 << 20
  public static let lineByteLimit = 4096
  public static let hostLimit = 65_536

  /// At least one, in the file's order.
  public private(set) var hosts: [HostEntry] = []
  /// What is probably not meant, one line each.
  public private(set) var warnings: [String] = []

  public init(text: String) throws(HostsFileError) {
    try self.init(bytes: Array(text.utf8))
  }

  /// - Parameter bytes: UTF-8; lines end with LF or CR LF.
  public init(bytes: [UInt8]) throws(HostsFileError) {
    guard bytes.count <= HostsFile.fileByteLimit else {
      throw HostsFileError(.fileTooLarge(byteCount: bytes.count), line: nil)
    }
    // Some editors put a byte order mark before the first line.
    let marked = bytes.starts(with: [0xEF, 0xBB, 0xBF])
    var firstLines: [String: Int] = [:]
    let lines = bytes.dropFirst(marked ? 3 : 0)
      .split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
    for (index, line) in lines.enumerated() {
      do throws(HostsFileError.Code) {
        let text = line.last == UInt8(ascii: "\r") ? line.dropLast() : line
        try HostsFile.check(text)
        guard let parsed = try HostLine(text, limit: HostsFile.hostLimit - hosts.count) else {
          continue
        }
        try add(parsed.entries(line: index + 1), &firstLines)
      } catch {
        throw HostsFileError(error, line: index + 1)
      }
    }
    guard !hosts.isEmpty else { throw HostsFileError(.noHosts, line: nil) }
  }

  private static func check(_ line: ArraySlice<UInt8>) throws(HostsFileError.Code) {
    guard line.count <= lineByteLimit else { throw .lineTooLong(byteCount: line.count) }
    guard let text = String(validating: line, as: UTF8.self) else { throw .invalidText }
    for scalar in text.unicodeScalars where scalar != "\t" && PlainText.isUnprintable(scalar) {
      throw .controlCharacter(code: scalar.value)
    }
  }

  private mutating func add(
    _ entries: [HostEntry], _ firstLines: inout [String: Int]
  ) throws(HostsFileError.Code) {
    for entry in entries {
      // Names of hosts have no case (RFC 4343); a host without a port has that of ssh.
      let name = "\(entry.host.lowercased()) \(entry.port ?? 22)"
      if let firstLine = firstLines[name] {
        throw .duplicateHost(entry.label, firstLine: firstLine)
      }
      firstLines[name] = entry.line
    }
    hosts += entries
    // MPICH writes a number of processes there, and no sshd is known to listen on such a port.
    if let entry = entries.first, let port = entry.port, port <= 128, port != 22 {
      warnings.append(
        "hosts file, line \(entry.line): `\(entry.label)` means that ssh connects to port \(port); "
          + "for \(port) lanes write `\(entry.host) lanes=\(port)`")
    }
  }
}
