internal import Foundation

/// Where everything goes that is not a result.
enum StandardError {
  static func write(_ text: String) {
    // A closed standard error is no reason to stop a run.
    try? FileHandle.standardError.write(contentsOf: Data(text.utf8))
  }

  static var isTerminal: Bool { isatty(FileHandle.standardError.fileDescriptor) == 1 }
}
