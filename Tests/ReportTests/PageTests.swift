import FlapCore
import Foundation
import Report
import Testing

#if canImport(FoundationXML)
  import FoundationXML
#endif

struct PageTests {
  @Test("the page is well-formed XML but for its first line, and its void elements")
  func wellFormed() throws {
    let html = Sample.report(evaluation: Sample.evaluation).html()
    #expect(html.hasPrefix("<!DOCTYPE html>\n<html lang=\"en\">"))
    let parser = Parser(html: html)
    #expect(parser.error == nil)
    #expect(parser.identifiers.count == Set(parser.identifiers).count, "identifiers are unique")
    #expect(parser.references.isSubset(of: Set(parser.identifiers)))
    #expect(parser.elements["svg"] == 2 * 2 + 4, "two per layer, two per kind of unit")
    #expect(parser.elements["title"] == 1 + 8 && parser.elements["desc"] == 8)
    #expect(parser.elements["h1"] == 1)
    #expect(parser.elements["script"] == nil)
    #expect(parser.elements["table"] == parser.elements["caption"])
  }

  @Test("nothing outside of the page is named")
  func selfContained() {
    let html = Sample.report(evaluation: Sample.evaluation).html()
    for hint in ["http:", "https:", "url(", "@import", "<script", "src=", "srcset", "//"] {
      #expect(!html.contains(hint), "\(hint)")
    }
  }

  @Test(
    "what a name or an argument holds is text, whatever it holds",
    arguments: ["<script>alert(1)</script>", "\"><img src=x onerror=1>", "a&b", "'\u{0}\u{7}"])
  func escapes(name: String) {
    let html = Sample.report(name: name, command: [name, name]).html()
    #expect(!html.contains("<script"))
    #expect(!html.contains("<img"))
    #expect(!html.contains("a&b"))
    #expect(!html.unicodeScalars.contains { $0.value < 0x20 && $0 != "\n" })
    #expect(Parser(html: html).error == nil)
  }

  @Test("the same facts give the same bytes")
  func deterministic() {
    #expect(Sample.report().html() == Sample.report().html())
  }

  @Test("it tells what the run knows, and does not tell what it does not know")
  func facts() {
    let bare = Sample.report().html()
    #expect(bare.contains("Not measured in this run"))
    #expect(!bare.contains("Against dense"))
    let evaluated = Sample.report(evaluation: Sample.evaluation).html()
    #expect(evaluated.contains("2.5000") && evaluated.contains("3.1250"))
    #expect(evaluated.contains("×\u{A0}1.250"))
    #expect(evaluated.contains("threshold −0.250"))
    #expect(evaluated.contains("flap-coord \\\n  --ratio 0.3</code>"))
    #expect(evaluated.contains("256"), "512 tokens in 2 s")
    #expect(evaluated.contains("1:01\u{A0}min"))
    #expect(evaluated.contains(Sample.digest.hexadecimal))
    #expect(!Sample.report(threshold: nil).html().contains("threshold −"))
  }
}

/// What Foundation's XML parser finds.
private final class Parser: NSObject, XMLParserDelegate {
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
