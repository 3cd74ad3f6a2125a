internal import FlapCore

/// The names of an allocation's nodes, as Slurm shortens them: `node[01-03,7],gpu1`.
public struct SlurmNodeList: Hashable, Sendable {
  public static let byteLimit = 1 << 20

  /// At least one, in the list's order.
  public let names: [String]

  /// - Parameter text: the value of SLURM_JOB_NODELIST.
  public init(_ text: String) throws(SlurmError) {
    do throws(HostRangeError) {
      names = try SlurmNodeList.expand(Array(text.utf8))
    } catch {
      throw .badNodeList(PlainText.line(text, limit: 60), error)
    }
  }

  private static func expand(_ bytes: [UInt8]) throws(HostRangeError) -> [String] {
    guard bytes.count <= byteLimit else { throw .tooLong(limit: byteLimit) }
    var names: [String] = []
    var rest = bytes[...]
    while true {
      let end = HostRange.end(of: rest, before: UInt8(ascii: ","))
      names += try expand(rest[..<end], limit: HostsFile.hostLimit - names.count)
      guard end < rest.endIndex else { return names }
      rest = rest[(end + 1)...]
    }
  }

  private static func expand(
    _ pattern: ArraySlice<UInt8>, limit: Int
  ) throws(HostRangeError) -> [String] {
    guard !pattern.isEmpty, pattern.allSatisfy({ (0x21..<0x7F).contains($0) }) else {
      throw .badPart(PlainText.quotable(pattern))
    }
    return try HostRange.expand(pattern, limit: limit).map { String(decoding: $0, as: UTF8.self) }
  }
}
