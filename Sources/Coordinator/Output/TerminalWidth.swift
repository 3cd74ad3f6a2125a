internal import Foundation

/// How many columns a terminal has.
enum TerminalWidth {
  /// nil: standard output is none.
  static var ofStandardOutput: Int? {
    guard isatty(STDOUT_FILENO) == 1 else { return nil }
    var size = winsize()
    // A terminal that does not say how wide it is, is taken to be as wide as any line.
    guard ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return nil }
    return Int(size.ws_col)
  }
}
