/// Text of HTML and SVG elements.
enum Markup {
  /// Text that stands for itself, in content and in quoted attributes.
  static func escape(_ text: String) -> String {
    var escaped = ""
    escaped.reserveCapacity(text.utf8.count)
    for scalar in text.unicodeScalars {
      switch scalar {
      case "&": escaped += "&amp;"
      case "<": escaped += "&lt;"
      case ">": escaped += "&gt;"
      case "\"": escaped += "&quot;"
      case "'": escaped += "&#39;"
      // What HTML has no way to say.
      case "\0"..."\u{8}", "\u{B}", "\u{E}"..."\u{1F}", "\u{7F}"..."\u{9F}": escaped += "\u{FFFD}"
      default: escaped.unicodeScalars.append(scalar)
      }
    }
    return escaped
  }

  /// - Parameters:
  ///   - attributes: names and values; values are escaped here.
  ///   - content: markup, not text.
  static func element(
    _ name: String, _ attributes: KeyValuePairs<String, String> = [:], _ content: String
  ) -> String {
    "<\(name)\(list(attributes))>\(content)</\(name)>"
  }

  /// An element without content, of SVG.
  static func shape(_ name: String, _ attributes: KeyValuePairs<String, String>) -> String {
    "<\(name)\(list(attributes))/>"
  }

  /// What a mark in a picture stands for; the style sheet draws it.
  static func key(_ name: String, _ text: String) -> String {
    "<span class=\"key\"><i class=\"\(name)\"></i>\(text)</span> "
  }

  private static func list(_ attributes: KeyValuePairs<String, String>) -> String {
    attributes.map { " \($0.key)=\"\(escape($0.value))\"" }.joined()
  }
}
