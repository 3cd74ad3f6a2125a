internal import Glibc
internal import Storage
public import SystemPackage
public import Transport

/// Where a worker's ticket comes from.
public enum TicketReader {
  public static func read(_ path: FilePath) throws -> ConnectionTicket {
    let file = try SecretFile(path, limit: ConnectionTicket.byteLimit)
    let ticket = try ConnectionTicket(text: String(decoding: file.bytes, as: UTF8.self))
    if ticket.keys != nil { try file.checkPrivacy() }
    return ticket
  }

  /// Reads up to the ticket's last line, byte by byte: what follows is not for the ticket, and the
  /// input stays open.
  public static func readStandardInput() throws -> ConnectionTicket {
    var text: [UInt8] = []
    let end = Array("\n\(ConnectionTicket.lastLine)\n".utf8)
    var byte: UInt8 = 0
    while text.count <= ConnectionTicket.byteLimit, !text.suffix(end.count).elementsEqual(end) {
      let count = Glibc.read(STDIN_FILENO, &byte, 1)
      if count < 0, errno == EINTR { continue }
      guard count == 1 else { break }
      text.append(byte)
    }
    return try ConnectionTicket(text: String(decoding: text, as: UTF8.self))
  }
}
