/// For people: a table, and where, with what and how it was measured.
extension SpeedMeasurement {
  package var head: [String] {
    against == nil ? ["", "model"] : ["", "dense", "pruned", "pruned ÷ dense"]
  }

  /// Names and numbers, a column for each of ``head``.
  package var rows: [[String]] {
    var rows: [[String]] = []
    func add(_ name: String, _ value: (Model) -> Int?, _ text: (Int) -> String) {
      let values = models.map(value)
      guard values.contains(where: { $0 != nil }) else { return }
      var row = [name] + values.map { $0.map(text) ?? "–" }
      if values.count == 2 {
        let known = values.compactMap { $0 }
        row.append(
          known.count == 2 && known[0] > 0 ? ratio(Double(known[1]) / Double(known[0])) : "–")
      }
      rows.append(row)
    }
    add("weights", \.weightBytes, NumberText.bytes)
    add("KV cache per token, 16 bits", \.keyValueCacheBytesPerToken, NumberText.bytes)
    add("FLOPs per token", \.flopsPerToken, NumberText.short)
    for engine in engines {
      func add(_ name: String, _ rate: (Speed) -> Rate, _ quotient: Double?) {
        let speeds = [engine.against, engine.model].compactMap { $0 }
        rows.append(
          ["\(engine.name) \(name), tokens/s"]
            + speeds.map { NumberText.rate(rate($0).tokensPerSecond) }
            + (quotient.map { [ratio($0)] } ?? []))
      }
      add("prefill", \.prefill, engine.prefillRatio)
      add("decode", \.decode, engine.decodeRatio)
    }
    return rows
  }

  /// Where and how it was measured, a sentence each.
  package var circumstances: [String] {
    func count(_ number: Int, _ noun: String) -> String {
      "\(number) \(noun)" + (number == 1 ? "" : "s")
    }
    let flops = "FLOPs leave out attention over other tokens."
    guard !engines.isEmpty else { return ["No speed was measured.", flops] }
    return [
      "Measured on \(cpu), \(count(threads, "thread")): medians of \(count(rounds, "round"))"
        + (against == nil ? "." : " in turn."),
      "Prefill: \(count(promptTokens, "token")) at once; decode: \(generatedTokens) one after another.",
      engines.map { "\($0.name) \($0.version)" }.joined(separator: "; ") + ".", flops,
    ]
  }

  private var text: String { circumstances.joined(separator: " ") }

  private var models: [Model] { [against, model].compactMap { $0 } }

  private func ratio(_ value: Double) -> String { NumberText.decimal(value, digits: 2) }
}

/// In pages and cards that are there already, as those of a finished run are.
extension SpeedMeasurement {
  static let sectionIdentifier = "speed"
  private static let heading = "## Speed"

  /// A section of ``PruningReport``'s page.
  var html: String {
    Page.section(
      SpeedMeasurement.sectionIdentifier, "Speed",
      PlainTable(
        caption: "Sizes and speed, measured", head: head,
        rows: rows.map { $0.map(Markup.escape) }, hidesCaption: true
      ).html + Markup.element("p", ["class": "note"], Markup.escape(text)))
  }

  /// A section of ``ModelCard``.
  var markdown: String {
    func line(_ cells: [String]) -> String { "| " + cells.joined(separator: " | ") + " |\n" }
    return SpeedMeasurement.heading + "\n\n" + line(head)
      + line(["---"] + head.dropFirst().map { _ in "---:" })
      + rows.map { line($0.map(Markdown.text)) }.joined() + "\n" + Markdown.text(text)
      + "\n"
  }

  /// The report's page with this measurement, in the place of an earlier one.
  ///
  /// - Returns: nil where the page is none of ``PruningReport``.
  public func inserted(intoPage page: String) -> String? {
    func start(_ identifier: String) -> Range<String.Index>? {
      page.firstRange(of: "<section aria-labelledby=\"\(identifier)\">")
    }
    let end = "</section>\n"
    if let old = start(SpeedMeasurement.sectionIdentifier),
      let close = page[old.upperBound...].firstRange(of: end)
    {
      return page.replacingSubrange(old.lowerBound..<close.upperBound, with: html)
    }
    return start("workers").map {
      page.replacingSubrange($0.lowerBound..<$0.lowerBound, with: html)
    }
  }

  /// The card with this measurement, in the place of an earlier one.
  public func inserted(intoCard card: String) -> String {
    let next = "\n## "
    if let old = card.firstRange(of: "\n" + SpeedMeasurement.heading + "\n") {
      let rest = card[old.upperBound...].firstRange(of: next)
      let end = rest.map { card.index(after: $0.lowerBound) } ?? card.endIndex
      return card.replacingSubrange(
        card.index(after: old.lowerBound)..<end, with: markdown + (rest == nil ? "" : "\n"))
    }
    guard let place = card.firstRange(of: next + "Load it\n") else {
      return card + (card.hasSuffix("\n") ? "\n" : "\n\n") + markdown
    }
    let start = card.index(after: place.lowerBound)
    return card.replacingSubrange(start..<start, with: markdown + "\n")
  }
}

extension String {
  fileprivate func replacingSubrange(_ range: Range<Index>, with text: String) -> String {
    String(self[..<range.lowerBound]) + text + self[range.upperBound...]
  }
}
