import Foundation
import Report
import Testing

struct ComparisonTests {
  private static func report(
    _ entries: [ComparisonReport.Entry], name: String = "Tiny"
  ) -> ComparisonReport {
    ComparisonReport(
      modelName: name, modelDigest: Sample.digest, calibration: Sample.data,
      evaluation: Sample.data, predictedTokenCount: 508, densePerplexity: 100, entries: entries,
      version: "0.1.0")
  }

  private static func entry(
    _ method: String, _ ratio: Double, _ perplexity: Double, predicted: Double? = nil,
    back: Double? = nil
  ) -> ComparisonReport.Entry {
    .init(
      method: method, ratioAsked: ratio, ratioReached: ratio, perplexity: perplexity,
      predictedLoss: predicted, takenBack: back)
  }

  private static let entries = [
    entry("flap", 0.25, 110, back: 0), entry("best", 0.25, 101, predicted: 0.02, back: 0.9),
    entry("flap", 0.5, 200, back: 0), entry("best", 0.5, 110, predicted: 0.125, back: 0.9),
  ]

  @Test("a line and a name for each method, the dense model, a table for each ratio")
  func page() {
    let html = ComparisonTests.report(ComparisonTests.entries).html()
    let parser = Parser(html: html)
    #expect(parser.error == nil)
    #expect(parser.identifiers.count == Set(parser.identifiers).count, "identifiers are unique")
    #expect(parser.references.isSubset(of: Set(parser.identifiers)))
    #expect(parser.elements["h1"] == 1 && parser.elements["svg"] == 1)
    #expect(parser.elements["table"] == 2 && parser.elements["caption"] == 2)
    for method in ["flap", "best"] {
      #expect(html.ranges(of: "<path class=\"method \(method)\"").count == 1)
      #expect(html.ranges(of: "<path class=\"dots method \(method)\"").count == 1)
      #expect(html.contains("<i class=\"method \(method)\"></i>\(method)</span>"))
    }
    #expect(html.ranges(of: "class=\"threshold\"").count == 1)
    // From the dense model's height at the left to the largest at the top right.
    #expect(html.contains("d=\"M0 100 500 "))
    #expect(html.contains(" 1000 0\""))
    #expect(
      html.contains(
        "<th scope=\"row\">best</th><td>110.0000</td><td>0.0953</td>"
          + "<td>0.1250</td><td>90.0\u{A0}%</td><td>50.00\u{A0}%</td>"), "ln 1.1")
    #expect(html.contains("least at 50\u{A0}%</dt><dd><b>110.000</b><span>best</span>"))
    #expect(html.contains("50\u{A0}% removed: flap 200.00, best 110.00."))
  }

  @Test("nothing outside of the page is named; what a name holds is text")
  func selfContained() {
    let html = ComparisonTests.report(
      ComparisonTests.entries + [ComparisonTests.entry("a\"><script>", 0.5, 150)],
      name: "<script>alert(1)</script>"
    ).html()
    for hint in ["http:", "https:", "url(", "@import", "<script", "src=", "srcset", "//"] {
      #expect(!html.contains(hint), "\(hint)")
    }
    #expect(Parser(html: html).error == nil)
  }

  @Test(
    "whatever is measured, the picture is of numbers, inside its frame",
    arguments: [
      [100.0], [100, 100], [99, 98], [1e300, 100.0001], [.infinity, 101], [.infinity], [],
    ])
  func odd(perplexities: [Double]) throws {
    let html = ComparisonTests.report(
      perplexities.enumerated().map { ComparisonTests.entry("m\($0)", 0.5, $1) }
    ).html()
    #expect(Parser(html: html).error == nil)
    for path in html.matches(of: #/ d="M([^"]*)"/#) {
      for number in path.output.1.split(whereSeparator: { " Mh".contains($0) }) {
        let value = try #require(Double(number), "\(path.output.0)")
        #expect((0...1000).contains(value))
      }
    }
  }
}

struct PerplexityAxisTests {
  @Test("by the square root of the loss, from the dense model's or what is below it")
  func positions() {
    let axis = PerplexityAxis(dense: 10, [10 * exp(0.01), 10 * exp(1)])
    // Logarithms and exponentials have a rounding each.
    #expect(abs(axis.position(10)) < 1e-12)
    #expect(abs(axis.position(10 * exp(0.01)) - 0.1) < 1e-12)
    #expect(abs(axis.position(10 * exp(1)) - 1) < 1e-12)
    let below = PerplexityAxis(dense: 10, [10 * exp(-0.25), 10 * exp(0.25)])
    #expect(abs(below.position(10 * exp(-0.25))) < 1e-12)
    #expect(abs(below.position(10) - 0.5) < 1e-12)
  }

  @Test(
    "ticks are round, few, and apart",
    arguments: [
      (84.27, [84.48, 152]), (84.27, [84.3]), (5.5, [5.7, 12, 13_000]), (5.5, [1e9]),
      (2.8, [2.7, 2.81]), (1.0, [1.0]),
    ])
  func ticks(dense: Double, perplexities: [Double]) {
    let axis = PerplexityAxis(dense: dense, perplexities)
    let ticks = axis.ticks
    #expect((1...6).contains(ticks.count), "\(ticks)")
    let places = (ticks + [dense]).map(axis.position).sorted()
    #expect(places.allSatisfy { (-1e-9...1 + 1e-9).contains($0) })
    for (one, next) in zip(places, places.dropFirst()) {
      #expect(next - one >= PerplexityAxis.leastDistance, "\(ticks)")
    }
    for tick in ticks { #expect(PerplexityAxis.text(tick).count <= 7) }
  }

  @Test("round numbers are said as such")
  func texts() {
    #expect(
      [90, 2000, 5.5, 84.25, 2e7].map(PerplexityAxis.text) == [
        "90", "2000", "5.5", "84.25", "2e+07",
      ])
  }

  @Test(
    "labels keep their order and distance, and stay inside while there is room",
    arguments: [
      ([0.1, 0.5, 0.9], [0.1, 0.5, 0.9]), ([0.5, 0.5, 0.5], [0.5, 0.6, 0.7]),
      ([0.95, 0.97, 1], [0.8, 0.9, 1]), ([], []), ([1], [1]),
    ])
  func labels(places: [Double], expected: [Double]) {
    let found = LabelPlaces.spread(places, apart: 0.1)
    #expect(found.count == expected.count)
    for (one, other) in zip(found, expected) { #expect(abs(one - other) < 1e-12) }
  }
}
