import Foundation

/// The shell that the tests ask how it reads a command.
enum Shell {
  /// Runs `/bin/sh -c command`. - Returns: its standard output.
  static func output(
    of command: String, program: String = "/bin/sh", arguments: [String]? = nil
  ) throws -> [UInt8] {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: program)
    process.arguments = arguments ?? ["-c", command]
    let pipe = Pipe()
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = pipe
    process.standardError = FileHandle.nullDevice
    try process.run()
    let output = pipe.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return Array(output)
  }

  /// The words that a program called by `command` gets, which `printf '%s\0'` prints.
  static func words(_ output: [UInt8]) -> [String] {
    output.split(separator: 0, omittingEmptySubsequences: false).dropLast()
      .map { String(decoding: $0, as: UTF8.self) }
  }
}
