internal import Synchronization

/// Standard error as people see it: lines that stay and, on a terminal, below them a few lines that
/// are drawn anew as things change.
final class Screen: Sendable {
  let isTerminal: Bool
  private let drawn = Mutex<[String]>([])

  init(isTerminal: Bool) { self.isTerminal = isTerminal }

  /// A line that stays.
  func write(_ line: String) {
    drawn.withLock { drawn in
      StandardError.write(Screen.erasing(drawn) + line + "\n" + Screen.text(of: drawn))
    }
  }

  /// The lines take the place of those drawn before. Only on a terminal.
  func draw(_ lines: [String]) {
    guard isTerminal else { return }
    drawn.withLock { drawn in
      StandardError.write(Screen.erasing(drawn) + Screen.text(of: lines))
      drawn = lines
    }
  }

  /// Up to the first drawn line, and clear from there (ECMA-48: CUU, ED).
  private static func erasing(_ lines: [String]) -> String {
    lines.isEmpty ? "" : "\r\u{1B}[\(lines.count)A\u{1B}[J"
  }

  /// Without wrapping (DECAWM off), so that each line takes one row of the terminal.
  private static func text(of lines: [String]) -> String {
    lines.isEmpty ? "" : "\u{1B}[?7l" + lines.map { $0 + "\n" }.joined() + "\u{1B}[?7h"
  }
}
