internal import FlapCore
internal import Pruning

extension PruningReport {
  var weightByteCount: Int {
    files.filter { !$0.name.contains("/") }.reduce(0) { $0 + $1.byteCount }
  }

  var perplexityHTML: String {
    guard let evaluation else {
      return Markup.element(
        "p", [:],
        "Not measured in this run. <code>flap-coord --eval DATA</code> measures it, dense and "
          + "pruned; <code>flap-coord eval --model DIR --data DATA</code> at any time.")
    }
    let dense = evaluation.densePerplexity
    let pruned = evaluation.prunedPerplexity
    let text = { NumberText.decimal($0, digits: 4) }
    return table(
      "Perplexity of the dense and the pruned model", ["Model", "Perplexity", "Against dense"],
      [
        ["dense", text(dense), "1"],
        ["pruned", text(pruned), "×\u{A0}" + NumberText.decimal(pruned / dense, digits: 3)],
      ], hidesCaption: true)
      + Markup.element(
        "p", ["class": "note"],
        "Over \(NumberText.exact(evaluation.predictedTokenCount)) predicted tokens of "
          + "\(NumberText.exact(evaluation.data.sampleCount)) windows, of "
          + "\(NumberText.exact(evaluation.data.tokensPerSample)) tokens each and without overlap, of "
          + "<code>\(Markup.escape(evaluation.data.name))</code>; not comparable with figures "
          + "over other data or with other windows.")
  }

  var sizesHTML: String {
    let shape = model.shape
    let pruned = prunedShape
    func row(_ name: String, _ before: Int, _ after: Int, _ text: (Int) -> String) -> [String] {
      let change = before > 0 ? Double(after) / Double(before) - 1 : 0
      return [
        name, text(before), text(after),
        (change > 0 ? "+" : "") + NumberText.percent(change, digits: 2),
      ]
    }
    let exact = NumberText.exact
    return table(
      "Sizes before and after", ["", "Dense", "Pruned", "Change"],
      [
        row("Parameters", shape.parameterCount, pruned.parameterCount, exact),
        row(
          "of them in decoder layers' linear maps", shape.decoderParameterCount,
          pruned.decoderParameterCount, exact),
        row("Weights", model.byteCount, weightByteCount, NumberText.bytes),
        row(
          "Query heads", shape.layers.reduce(0) { $0 + $1.headCount },
          pruned.layers.reduce(0) { $0 + $1.headCount }, exact),
        row(
          "Key and value heads", plan.groupTotals.all, plan.groupTotals.kept, exact),
        row("Neurons", plan.neuronTotals.all, plan.neuronTotals.kept, exact),
      ], hidesCaption: true)
  }

  var workersHTML: String {
    let fastest = run.workers.compactMap(\.tokensPerSecond).max() ?? 0
    let rows = run.workers.map { worker in
      [
        Markup.escape(worker.host), "\(worker.threadCount)", NumberText.exact(worker.resultCount),
        NumberText.exact(worker.uncountedCount), NumberText.exact(worker.tokenCount),
        worker.tokensPerSecond.map { NumberText.rate($0) + bar($0 / fastest) } ?? "–",
      ]
    }
    let phases = run.phases.map { phase in
      [
        Markup.escape(phase.name), NumberText.exact(phase.taskCount),
        NumberText.seconds(phase.seconds),
      ]
    }
    let events = run.events.map { [Markup.escape($0.name), NumberText.exact($0.count)] }
    return
      (run.isResumed
      ? Markup.element(
        "p", [:], "This run resumed an unfinished one; only its own work is shown.")
      : "")
      + table(
        "Work of each worker",
        ["Host", "Threads", "Results", "Not counted", "Tokens", "Tokens/s"], rows)
      + Markup.element(
        "div", ["class": "pair"],
        table("Phases", ["Phase", "Tasks", "Time"], phases)
          + table("Events", ["Event", "Count"], events))
      + Markup.element(
        "p", ["class": "note"],
        "Peak memory of a worker: \(NumberText.bytes(run.peakWorkerBytes)), mapped weights aside. "
          + "Not counted: tasks of a worker that another one finished first, or that were lost "
          + "with it. Results never depend on who computes them.")
  }

  private func bar(_ share: Double) -> String {
    "<span class=\"bar\" aria-hidden=\"true\">"
      + "<i style=\"width:\(NumberText.coordinate(share * 100))%\"></i></span>"
  }

  var originHTML: String {
    var facts: [(String, String)] = [
      ("Command", Markup.element("pre", [:], code(commandText))),
      ("Finished", Markup.escape(run.finishedAt) + ", after " + NumberText.seconds(run.seconds)),
      ("Version", "flap \(Markup.escape(run.version)), kernels \(code(run.kernels))"),
      ("Model", "\(code(model.name)) \(code(model.digest.hexadecimal, "digest"))"),
    ]
    if let compute = run.compute { facts.append(("Matrix products", Markup.escape(compute))) }
    if let calibration { facts.append(("Calibration", data(calibration))) }
    if let evaluation { facts.append(("Evaluation", data(evaluation.data))) }
    let list = facts.map { Markup.element("dt", [:], $0.0) + Markup.element("dd", [:], $0.1) }
    return Markup.element("dl", ["class": "facts"], list.joined())
      + table(
        "Files", ["File", "Bytes", "SHA-256"],
        files.map {
          [
            code($0.name), NumberText.exact($0.byteCount),
            code($0.digest.hexadecimal, "digest"),
          ]
        }, class: "files")
  }

  /// One option per line, and still one command.
  private var commandText: String {
    run.command.dropFirst().reduce(run.command.first ?? "") { text, word in
      text + (word.hasPrefix("--") ? " \\\n  " : " ") + word
    }
  }

  private func data(_ set: DataSet) -> String {
    "\(code(set.name)): \(NumberText.exact(set.sampleCount)) samples, "
      + "\(NumberText.exact(set.tokenCount)) tokens \(code(set.digest.hexadecimal, "digest"))"
  }

  private func code(_ text: String, _ name: String = "") -> String {
    name.isEmpty
      ? Markup.element("code", [:], Markup.escape(text))
      : Markup.element("code", ["class": name], Markup.escape(text))
  }

  var footer: String {
    Markup.element(
      "footer", [:],
      "FLAP: fluctuation-based adaptive structured pruning, AAAI 2024, arXiv 2312.11983.") + "\n"
  }

  func table(
    _ caption: String, _ head: [String], _ rows: [[String]], class name: String = "",
    hidesCaption: Bool = false
  ) -> String {
    PlainTable(
      caption: caption, head: head, rows: rows, className: name, hidesCaption: hidesCaption
    ).html
  }
}
