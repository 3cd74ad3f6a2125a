import FlapCore
import Foundation
import Pruning
import Report
import Testing

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

  @Test("answers to questions, where there are some")
  func tasks() {
    var report = Sample.report()
    #expect(!report.html().contains("acc_norm"))
    report.taskResults = Sample.taskResults
    let html = report.html()
    #expect(html.contains("0.5000 ± 0.0100") && html.contains("acc_norm"))
    #expect(Parser(html: html).error == nil)
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
    let fitted = Sample.report(compensation: .leastSquares).html()
    #expect(fitted.contains("fitted by least squares.") && !fitted.contains("α = 1"))
    let sequential = Sample.report(compensation: .leastSquares, isSequential: true).html()
    #expect(sequential.contains("residual stream") && sequential.contains("α = 1"))
  }
}

struct LossTests {
  @Test("a picture for each module, the predicted loss, the measured one; without losses nothing")
  func section() throws {
    #expect(!Sample.report().html().contains("id=\"losses\""))
    let html = Sample.report(
      evaluation: Sample.evaluation, threshold: nil, metric: "OBS", structure: "measured",
      losses: Sample.losses
    ).html()
    let parser = Parser(html: html)
    #expect(parser.error == nil)
    #expect(parser.identifiers.count == Set(parser.identifiers).count, "identifiers are unique")
    #expect(parser.references.isSubset(of: Set(parser.identifiers)))
    #expect(parser.elements["svg"] == 2 * 2 + 4 + 2 * 2)
    #expect(parser.elements["svg"] == parser.elements["desc"])
    #expect(html.contains("Measured: 1 kept: 0.8000; 3 kept: 0.2000. Kept are 4"))
    // By the errors: half way from 0 to 0.2, a third of the way from 0.2 to 0.8.
    #expect(html.contains("Kept are 4, predicted: 0.1000"))
    #expect(html.contains("Kept are 2, predicted: 0.4000"))
    // 0.25 for the group that goes, 0.1 and 0.4 for neurons; e^0.75.
    #expect(html.contains(LossTests.row("predicted: the sum over all modules", "0.7500", "2.117")))
    #expect(
      html.contains(LossTests.row("measured over <code>tokens.npy</code>", "0.2231", "1.250")),
      "ln 3.125 / 2.5")
    #expect(html.contains("keeps those whose losses have the least sum"))
    #expect(html.contains("Under measured no single score decides how many"))
  }

  @Test("without an evaluation nothing is said to be measured over other data")
  func unevaluated() {
    let html = Sample.report(losses: Sample.losses).html()
    #expect(html.contains(LossTests.row("predicted: the sum over all modules", "0.7500", "2.117")))
    #expect(!html.contains("measured over <code>"))
    #expect(html.contains("nothing was evaluated"))
  }

  @Test("why so much of each module stays, and what even shares would lose")
  func choice() {
    var report = Sample.report(structure: "measured", losses: Sample.losses)
    report.search.reached.decoderLayers = 0.5
    // One group of two, twice; 2.5 of 5 neurons, rounded to 3, twice.
    #expect(report.html().contains("50.0\u{A0}% of its units, the sum would be <b>0.9000</b>"))
    #expect(!report.html().contains("only tell what that costs"))
    report.search.structure = "AL-AM"
    #expect(report.html().contains("Structure AL-AM decided"))
  }

  private static func row(_ name: String, _ loss: String, _ factor: String) -> String {
    "<th scope=\"row\">\(name)</th><td>\(loss)</td><td>×\u{A0}\(factor)</td>"
  }

  @Test("one unit, no error, losses below zero: still a picture of numbers")
  func odd() {
    var losses = Sample.losses
    losses[0].attentionOutput = LossCurve(
      errors: [0, 0], measured: [.init(kept: 1, loss: -0.001)])
    losses[1].mlpDown = LossCurve(
      errors: [0, 0, 0, 0, 0], measured: [.init(kept: 2, loss: 0)])
    let html = Sample.report(losses: losses).html()
    #expect(Parser(html: html).error == nil)
    #expect(!html.contains(#/\b(nan|inf)\b/#))
    #expect(html.contains("1 kept: −0.0010"))
  }

  @Test("the pictures of 80 layers of 14336 neurons are less than 300 KiB")
  func large() {
    let shape = ModelShape(
      hiddenSize: 8192, headDimension: 128, vocabularySize: 16, rmsNormEpsilon: 1e-5,
      rotaryEmbedding: RotaryEmbedding(theta: 10000), tiesEmbeddings: false, biases: Biases(),
      layers: Array(
        repeating: LayerShape(headCount: 64, keyValueHeadCount: 64, intermediateSize: 14336),
        count: 80))
    func curve(_ units: Int) -> LossCurve {
      LossCurve(
        errors: (0..<units).map { Double($0 * $0) },
        measured: LossLevels.counts(of: units).map { .init(kept: $0, loss: 1 / Double($0)) })
    }
    let curves = PerTap(attentionOutput: curve(64), mlpDown: curve(14336))
    var report = Sample.report()
    report.scores = nil
    report.model.shape = shape
    report.plan = PruningPlan(keepingAllOf: shape)
    let without = report.html().utf8.count
    report.losses = Array(repeating: curves, count: 80)
    #expect(report.html().utf8.count - without < 300 << 10)
  }
}

struct RidgeTests {
  private static let ridges = [
    FittedRidge(layer: 0, tap: .mlpDown, ridge: 1e-3, isRaised: false),
    FittedRidge(layer: 1, tap: .attentionOutput, ridge: 1e-2, isRaised: true),
    FittedRidge(layer: 1, tap: .mlpDown, ridge: 1e-3, isRaised: false),
  ]

  @Test("the ridge of every map that was fitted; without any nothing")
  func page() {
    var report = Sample.report(compensation: .leastSquares)
    #expect(!report.html().contains("id=\"ridges\""))
    report.ridges = RidgeTests.ridges
    let html = report.html()
    #expect(Parser(html: html).error == nil)
    #expect(html.contains("<th scope=\"row\">0</th><td>–</td><td>1e-3</td>"))
    #expect(html.contains("<th scope=\"row\">1</th><td>1e-2, raised</td><td>1e-3</td>"))
  }

  @Test("the card counts them")
  func card() {
    let card = Sample.card(compensation: .leastSquares, ridges: RidgeTests.ridges)
    #expect(
      card.contains(
        "compensated by least squares; ridge: 1e-3 of 2, 1e-2 of 1 maps, 1 of them raised"))
  }
}

struct ErrorTests {
  private static let errors = Sample.losses.map { $0.map(\.errors) }

  @Test("an order alone: a picture for each module, and what part of the error is there")
  func section() {
    let html = Sample.report(metric: "OBS", errors: ErrorTests.errors).html()
    let parser = Parser(html: html)
    #expect(parser.error == nil)
    #expect(parser.identifiers.count == Set(parser.identifiers).count, "identifiers are unique")
    #expect(parser.references.isSubset(of: Set(parser.identifiers)))
    #expect(parser.elements["svg"] == 2 * 2 + 4 + 2 * 2)
    #expect(html.contains("id=\"errors\"") && !html.contains("id=\"losses\""))
    // 2 of 16 without the first of five neurons, 8 of 16 without three; all of it without a group.
    #expect(html.contains("Kept are 4: 12.5\u{A0}%"))
    #expect(html.contains("Kept are 2: 50.0\u{A0}%"))
    #expect(html.contains("Kept are 1: 100.0\u{A0}%"))
    #expect(!html.contains("Nats per token"))
  }

  @Test("losses show the errors, too; without an order there are none")
  func absent() {
    let both = Sample.report(errors: ErrorTests.errors, losses: Sample.losses).html()
    #expect(!both.contains("id=\"errors\"") && both.contains("class=\"error\""))
    #expect(!Sample.report().html().contains("id=\"errors\""))
  }

  @Test("no error at all: still a picture of numbers")
  func none() {
    let html = Sample.report(
      errors: Sample.shape.layers.map { _ in
        PerTap(attentionOutput: [0, 0], mlpDown: Array(repeating: 0, count: 5))
      }
    ).html()
    #expect(Parser(html: html).error == nil)
    #expect(!html.contains(#/\b(nan|inf)\b/#))
    #expect(html.contains("Kept are 2: 0.0\u{A0}%"))
  }
}
