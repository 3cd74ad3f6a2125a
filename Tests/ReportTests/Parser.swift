import Foundation

#if canImport(FoundationXML)
  import FoundationXML
#endif

/// What Foundation's XML parser finds.
final class Parser: NSObject, XMLParserDelegate {
  private(set) var elements: [String: Int] = [:]
  private(set) var identifiers: [String] = []
  private(set) var references: Set<String> = []
  private(set) var error: String?

  /// XML knows neither elements that are never closed nor the text of style sheets.
  init(html: String) {
    super.init()
    let void = #/<(meta|link)([^>]*)>/#
    let style = #/<style>[\s\S]*?<\/style>/#
    let xml = html.dropFirst("<!DOCTYPE html>\n".count)
      .replacing(void) { "<\($0.output.1)\($0.output.2)/>" }.replacing(style, with: "")
    let parser = XMLParser(data: Data(xml.utf8))
    parser.delegate = self
    if !parser.parse() {
      error = "line \(parser.lineNumber): \(parser.parserError.map { "\($0)" } ?? "unknown")"
    }
  }

  func parser(
    _ parser: XMLParser, didStartElement name: String, namespaceURI: String?,
    qualifiedName: String?, attributes: [String: String]
  ) {
    elements[name, default: 0] += 1
    if let identifier = attributes["id"] { identifiers.append(identifier) }
    for word in attributes["aria-labelledby"]?.split(separator: " ") ?? [] {
      references.insert(String(word))
    }
  }
}
