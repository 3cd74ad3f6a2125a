import Report
import Testing

/// Speeds that somebody has measured, in report and card.
struct SpeedTests {
  private func measurement(against: Bool = true, rounds: Int = 3) -> SpeedMeasurement {
    func speed(_ factor: Double) -> SpeedMeasurement.Speed {
      // The machine is half as fast in the last round.
      let rates = (0..<rounds).map { ($0 == rounds - 1 ? 50.0 : 100) * factor + Double($0) }
      return .init(prefill: .init(rounds: rates.map { $0 * 10 }), decode: .init(rounds: rates))
    }
    func model(_ name: String, _ size: Int) -> SpeedMeasurement.Model {
      .init(
        name: name, weightBytes: size << 20, keyValueCacheBytesPerToken: size << 8,
        flopsPerToken: size * 1_000_000)
    }
    var measurement = SpeedMeasurement(
      cpu: "Some <CPU> | 3 GHz", threads: 4, promptTokens: 256, generatedTokens: 64,
      rounds: rounds, version: "1.2.3", model: model("pruned", 30),
      against: against ? model("dense", 40) : nil)
    measurement.engines = [
      .init(
        name: "llama.cpp", version: "b1 (abc)", model: speed(1.5),
        against: against ? speed(1) : nil)
    ]
    return measurement
  }

  @Test("the median of the rounds, and of their quotients")
  func medians() {
    let engine = measurement().engines[0]
    #expect(engine.model.decode.tokensPerSecond == 150)
    #expect(engine.against?.decode.tokensPerSecond == 100)
    // 150/100, 151/101 and 77/52.
    #expect(engine.decodeRatio == 151.0 / 101)
    #expect(engine.prefillRatio == 1510.0 / 1010)
    #expect(SpeedMeasurement.Rate(rounds: [4, 1]).tokensPerSecond == 2.5)
    #expect(measurement(against: false).engines[0].decodeRatio == nil)
  }

  @Test("a section of the report, of which the page stays well-formed")
  func page() throws {
    var report = Sample.report()
    let without = report.html()
    #expect(!without.contains("id=\"speed\""))
    report.speed = measurement()
    let page = report.html()
    #expect(page.contains("Some &lt;CPU&gt; | 3 GHz, 4 threads"))
    #expect(page.contains("medians of 3 rounds in turn. Prefill: 256 tokens"))
    let parser = Parser(html: page)
    #expect(parser.error == nil)
    #expect(parser.identifiers.count == Set(parser.identifiers).count)
    // A page that is there already becomes the same, and is changed in one place only.
    #expect(measurement().inserted(intoPage: without) == page)
    let one = try #require(measurement(rounds: 1).inserted(intoPage: page))
    #expect(one.contains("medians of 1 round in turn") && !one.contains("medians of 3"))
    #expect(measurement().inserted(intoPage: one) == page)
    #expect(measurement().inserted(intoPage: "<html>mine</html>") == nil)
  }

  @Test("a section of the card, before how to load it")
  func card() {
    let without = Sample.card()
    #expect(!without.contains("## Speed"))
    let text = Sample.card(speed: measurement())
    #expect(text.contains("| weights | 40.0\u{A0}MiB | 30.0\u{A0}MiB | 0.75 |"))
    #expect(text.contains("| llama.cpp decode, tokens/s | 100 | 150 | 1.50 |"))
    #expect(text.contains("Some \\<CPU\\> \\| 3 GHz"))
    #expect(measurement().inserted(intoCard: without) == text)
    #expect(
      measurement().inserted(intoCard: measurement(rounds: 1).inserted(intoCard: text)) == text)
    // A card that somebody has written anew keeps every word.
    let own = measurement().inserted(intoCard: "# Mine\n\nno sections")
    #expect(own.hasPrefix("# Mine\n\nno sections\n\n## Speed\n"))
    #expect(measurement().inserted(intoCard: own) == own)
    let last = measurement().inserted(intoCard: "# Mine\n\n## Speed\n\nold\n\n## After\n\nx\n")
    #expect(last.hasSuffix("\n\n## After\n\nx\n") && !last.contains("old"))
  }

  @Test("alone, and of a file without sizes")
  func alone() {
    var speed = measurement(against: false)
    #expect(speed.head == ["", "model"])
    #expect(speed.rows.allSatisfy { $0.count == 2 } && speed.rows.count == 5)
    speed.model.keyValueCacheBytesPerToken = nil
    speed.model.flopsPerToken = nil
    #expect(speed.rows.count == 3)
    speed.engines = []
    #expect(speed.circumstances[0] == "No speed was measured.")
  }
}
