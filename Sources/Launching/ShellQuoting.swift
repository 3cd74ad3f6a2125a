/// Words for a POSIX shell (Shell Command Language, 2.2.2 Single-Quotes).
public enum ShellQuoting {
  /// `word` such that a shell reads it as one word, as it is; plain words stay readable.
  ///
  /// - Precondition: no NUL, which no command line can hold.
  public static func quote(_ word: String) -> String {
    precondition(!word.utf8.contains(0), "a word of a command holds a NUL")
    // A word that begins with `=` is a path to some shells.
    if !word.isEmpty, word.utf8.first != UInt8(ascii: "="), word.utf8.allSatisfy(isPlain) {
      return word
    }
    let parts = word.split(separator: "'", omittingEmptySubsequences: false)
    return "'" + parts.joined(separator: "'\\''") + "'"
  }

  public static func join(_ words: [String]) -> String {
    words.map(quote).joined(separator: " ")
  }

  private static func isPlain(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"):
      true
    default: "_@%+=:,./-".utf8.contains(byte)
    }
  }
}
