/// What the dense model's card says and its pruned offspring has to say, too: licence, languages.
///
/// Read from the YAML front matter of its `README.md`: plain values and lists of plain values at
/// the top level. What is written otherwise is left out, never guessed.
public struct SourceCard: Sendable {
  /// Key and lines, as they stand there, in the order of ``keys``.
  public private(set) var entries: [(key: String, values: [String])] = []

  static let keys = ["license", "license_name", "license_link", "language"]
  private static let longestValue = 500

  public init() {}

  public init(markdown: String) {
    // A line may end in "\r\n", which is one character.
    var lines = markdown.split(omittingEmptySubsequences: false) { $0 == "\n" || $0 == "\r\n" }[...]
    guard lines.popFirst() == "---", let end = lines.firstIndex(of: "---") else { return }
    let matter = lines[..<end]
    for key in SourceCard.keys {
      guard let start = matter.firstIndex(where: { $0.hasPrefix(key + ":") }) else { continue }
      let value = SourceCard.plain(matter[start].dropFirst(key.count + 1))
      let rest = matter[(start + 1)...].prefix { $0.hasPrefix("- ") || $0.hasPrefix("  - ") }
      let values =
        value.isEmpty
        ? rest.map { SourceCard.plain($0.drop { $0 == " " }.dropFirst(2)) }
        : SourceCard.flowList(value)
      guard !values.isEmpty, values.allSatisfy(SourceCard.isPlain) else { continue }
      entries.append((key, values))
    }
  }

  /// `[en, de]` as its parts; anything else as itself.
  private static func flowList(_ value: String) -> [String] {
    guard value.hasPrefix("["), value.hasSuffix("]") else { return [value] }
    return value.dropFirst().dropLast().split(separator: ",").map { plain($0) }
  }

  /// Without blanks and quotes around it.
  private static func plain(_ text: Substring) -> String {
    var text = text.drop { $0 == " " }
    while text.last == " " { text = text.dropLast() }
    for quote in ["\"", "'"] where text.count > 1 && text.hasPrefix(quote) && text.hasSuffix(quote)
    {
      text = text.dropFirst().dropLast()
    }
    return String(text)
  }

  /// Whether it means the same when it is written between double quotes.
  private static func isPlain(_ value: String) -> Bool {
    !value.isEmpty && value.utf8.count <= longestValue
      && value.first.map { !"{[|>&*!%@`#".contains($0) } == true
      && value.unicodeScalars.allSatisfy { $0.value >= 0x20 && !"\"\\".unicodeScalars.contains($0) }
  }
}
