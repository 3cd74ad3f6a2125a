internal import Foundation
internal import Glibc
internal import Storage
public import SystemPackage

/// A file of lines with a bound: when it is full it becomes `NAME.1.EXTENSION`, in place of what had
/// that name, and a new one begins. So there are never more than two, and they hold the latest.
public struct EventFile: ~Copyable {
  /// Of each of the two files.
  public static let byteLimit = 16 << 20

  private let path: FilePath
  private let limit: Int
  private var file: FileDescriptor
  private var byteCount: Int

  /// Opens a file, or begins it. A last line that a crash has cut is removed.
  ///
  /// - Parameter lines: called with each line that is there.
  /// - Throws: what the system says, or that there is something that is no file.
  public init(_ path: FilePath, limit: Int = byteLimit, lines: (ArraySlice<UInt8>) -> Void) throws {
    let file = try EventFile.open(path)
    do {
      byteCount = try EventFile.read(file, path, limit: max(limit, EventFile.byteLimit), lines)
    } catch {
      try? file.close()
      throw error
    }
    self.path = path
    self.limit = limit
    self.file = file
  }

  /// - Returns: the bytes of whole lines.
  private static func read(
    _ file: FileDescriptor, _ path: FilePath, limit: Int, _ lines: (ArraySlice<UInt8>) -> Void
  ) throws -> Int {
    guard isRegular(file) else { throw Errno.invalidArgument }
    let bytes = try SmallFile.read(path, limit: limit)
    let end = bytes.lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0
    if end < bytes.count, ftruncate(file.rawValue, end) != 0 { throw Errno(rawValue: errno) }
    bytes[..<end].split(separator: UInt8(ascii: "\n")).forEach(lines)
    return end
  }

  deinit { try? file.close() }

  /// Where lines went before the file was full.
  public static func previous(of path: FilePath) -> FilePath {
    let name = path.stem ?? "events"
    let ending = path.extension.map { ".\($0)" } ?? ""
    return path.removingLastComponent().appending("\(name).1\(ending)")
  }

  /// - Parameters:
  ///   - line: with its end. One that is longer than the file may be is left out.
  ///   - head: what a new file begins with: what one has to know of what went before.
  /// - Throws: what the system says; then a part of the line may be missing, and nothing else.
  public mutating func append(_ line: String, head: () -> String) throws {
    if byteCount + line.utf8.count > limit, byteCount > 0 {
      try beginAnew()
      try write(head())
    }
    try write(line)
  }

  private mutating func write(_ text: String) throws {
    guard byteCount + text.utf8.count <= limit else { return }
    do {
      byteCount += try file.writeAll(text.utf8)
    } catch {
      // Without the part that had room.
      ftruncate(file.rawValue, byteCount)
      throw error
    }
  }

  private mutating func beginAnew() throws {
    guard rename(path.string, EventFile.previous(of: path).string) == 0 else {
      throw Errno(rawValue: errno)
    }
    let next = try EventFile.open(path)
    try? file.close()
    file = next
    byteCount = 0
  }

  private static func isRegular(_ file: FileDescriptor) -> Bool {
    var status = stat()
    return fstat(file.rawValue, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
  }

  /// In one piece at the end (O_APPEND), and through no link that somebody has put there.
  private static func open(_ path: FilePath) throws -> FileDescriptor {
    try FileDescriptor.open(
      path, .readWrite, options: [.create, .append, .noFollow, .closeOnExec, .nonBlocking],
      permissions: [.ownerReadWrite, .groupRead, .otherRead])
  }
}
