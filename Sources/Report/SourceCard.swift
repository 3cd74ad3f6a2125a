internal import Yams

/// What the dense model's card says and its pruned offspring has to say, too: licence, languages, and
/// what the dense model itself was made from.
///
/// Read from the YAML front matter of its `README.md`. What is no text or list of texts there, and a
/// front matter that is no YAML, is left out, never guessed.
public struct SourceCard: Sendable {
  /// Key and values, in the order of ``keys``.
  public private(set) var entries: [(key: String, values: [String])] = []
  /// Names on the hub.
  public private(set) var baseModels: [String] = []

  static let keys = ["license", "license_name", "license_link", "language"]
  private static let longestMatter = 256 << 10
  private static let longestValue = 500

  public init() {}

  public init(markdown: String) {
    guard let matter = SourceCard.frontMatter(of: markdown),
      let fields = (try? Yams.compose(yaml: matter))?.mapping
    else { return }
    for key in SourceCard.keys {
      guard let values = SourceCard.texts(fields[key]) else { continue }
      entries.append((key, values))
    }
    baseModels = SourceCard.texts(fields["base_model"])?.filter(ModelName.isHubName) ?? []
  }

  private static func frontMatter(of markdown: String) -> String? {
    // A line may end in "\r\n", which is one character.
    var lines = markdown.split(omittingEmptySubsequences: false) { $0 == "\n" || $0 == "\r\n" }[...]
    guard lines.popFirst() == "---", let end = lines.firstIndex(of: "---") else { return nil }
    let matter = lines[..<end].joined(separator: "\n")
    return matter.utf8.count <= longestMatter ? matter : nil
  }

  /// - Returns: nil for anything but a text or texts; what YAML has other types for, such as `no`, is
  ///   text here.
  private static func texts(_ node: Node?) -> [String]? {
    let nodes = node?.sequence.map(Array.init) ?? node.map { [$0] } ?? []
    let texts = nodes.compactMap { $0.scalar?.string }
    guard !texts.isEmpty, texts.count == nodes.count, texts.allSatisfy(isPlain) else { return nil }
    return texts
  }

  /// Whether it means the same when it is written between double quotes.
  private static func isPlain(_ value: String) -> Bool {
    !value.isEmpty && value.utf8.count <= longestValue
      && value.unicodeScalars.allSatisfy { $0.value >= 0x20 && !"\"\\".unicodeScalars.contains($0) }
  }
}
