internal import FlapCore
internal import Foundation
internal import Glibc
internal import Host
internal import SystemPackage

/// A program of others that is run to its end: what it prints, or why it failed.
struct ForeignProgram {
  let path: FilePath

  /// - Parameter name: a path, or the name of a program in `PATH`; nil where there is none.
  init?(_ name: String) {
    let candidates =
      name.contains("/")
      ? [FilePath(name)]
      : (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":")
        .map { FilePath(String($0)).appending(name) }
    guard
      let path = candidates.first(where: { FileManager.default.isExecutableFile(atPath: $0.string) }
      )
    else { return nil }
    self.path = path
  }

  /// Why a program gave nothing: the last line that it said on standard error.
  struct Failure: Error {
    let reason: String
  }

  /// - Returns: what it printed on standard output.
  /// - Throws: ``Failure``; ``ClusterError/interrupted``, after the program was ended.
  func run(_ arguments: [String], _ interruption: Interruption) throws -> Data {
    let folder = try ScratchFolder()
    let (output, errors) = (folder.path.appending("stdout"), folder.path.appending("stderr"))
    let process = Process()
    process.executableURL = URL(filePath: path.string)
    process.arguments = arguments
    process.standardInput = FileHandle.nullDevice
    // Files, which never fill up while nobody reads.
    process.standardOutput = try ForeignProgram.handle(output)
    process.standardError = try ForeignProgram.handle(errors)
    do { try process.run() } catch { throw Failure(reason: "\(path) does not start (\(error))") }
    while process.isRunning {
      guard !interruption.isRequested else {
        // It ignores the signals that this process ignores.
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
        try interruption.check()
        break
      }
      usleep(20_000)
    }
    guard process.terminationReason == .exit, process.terminationStatus == 0 else {
      let said = (try? String(contentsOfFile: errors.string, encoding: .utf8)) ?? ""
      let line = said.split(whereSeparator: \.isNewline).last { !$0.allSatisfy(\.isWhitespace) }
      throw Failure(
        reason: line.map { PlainText.line(String($0)) }
          ?? "\(path) ended with \(process.terminationStatus)")
    }
    return try Data(contentsOf: URL(filePath: output.string))
  }

  private static func handle(_ path: FilePath) throws -> FileHandle {
    _ = FileManager.default.createFile(atPath: path.string, contents: nil)
    return try FileHandle(forWritingTo: URL(filePath: path.string))
  }
}
