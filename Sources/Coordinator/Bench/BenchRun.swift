internal import FlapCore
internal import Foundation
internal import Host
internal import Logging
internal import Report
internal import Storage
public import SystemPackage

/// `flap-coord bench`: how fast a model is on this machine, in llama.cpp and in transformers, beside the
/// dense one.
public struct BenchRun: Sendable {
  let model: FilePath
  let against: FilePath?
  let options: BenchOptions

  public init(model: FilePath, against: FilePath?, options: BenchOptions) {
    self.model = model
    self.against = against
    self.options = options
  }

  public func run(_ console: Console) throws {
    let subjects = BenchedModels(
      model: try BenchSubject(model, console.log),
      against: try against.map { try BenchSubject($0, console.log) })
    let interruption = Interruption()
    var measurement = SpeedMeasurement(
      cpu: PlainText.line(Host.processorName, limit: 100), threads: options.threadCount,
      promptTokens: options.promptTokens, generatedTokens: options.generatedTokens,
      rounds: options.rounds, version: SoftwareVersion.current, model: subjects.model.figures,
      against: subjects.against?.figures)
    try measurement.attempt(LlamaCppBench.name) {
      try inLlamaCpp(subjects, interruption, console)
    }
    try measurement.attempt(TransformersBench.name) {
      try inTransformers(subjects, interruption, console)
    }
    for line in measurement.notMeasured { console.log.warning("\(line)") }
    try console.show(measurement, table: measurement.table)
    // Afterwards, so that nothing measured is lost where it cannot be kept.
    if case .checkpoint = subjects.model.source { try keep(measurement, console) }
  }

  private func inLlamaCpp(
    _ subjects: BenchedModels<BenchSubject>, _ interruption: Interruption, _ console: Console
  ) throws -> SpeedMeasurement.Engine {
    let name = options.llamaBench ?? "llama-bench"
    guard let program = ForeignProgram(name) else {
      throw ForeignProgram.Failure(
        reason: options.llamaBench == nil
          ? "no llama-bench in PATH: name it with --llama-bench" : "\(name) is no program")
    }
    console.log.info("llama.cpp: \(options.rounds) rounds with \(program.path)")
    return try LlamaCppBench(program: program, options: options).measure(subjects, interruption)
  }

  private func inTransformers(
    _ subjects: BenchedModels<BenchSubject>, _ interruption: Interruption, _ console: Console
  ) throws -> SpeedMeasurement.Engine {
    guard
      subjects.all.allSatisfy({
        if case .checkpoint = $0.source { true } else { false }
      })
    else { throw ForeignProgram.Failure(reason: "GGUF files are llama.cpp's") }
    let python = try TransformersBench.python(options.python, interruption)
    console.log.info("transformers: \(options.rounds) rounds with \(python.path)")
    return try TransformersBench(python: python, options: options).measure(
      subjects.map(\.path), interruption)
  }

  // MARK: What stays

  /// In a folder that a run has written: `flap/bench.json`, and what it says in card and report.
  private func keep(_ measurement: SpeedMeasurement, _ console: Console) throws {
    guard SmallFile.exists(model.appending("flap")) else { return }
    try AtomicFile.write(
      Array(try Console.encode(measurement, pretty: true)) + [UInt8(ascii: "\n")],
      to: model.pushing(SpeedMeasurement.file))
    try edit("README.md", measurement.inserted(intoCard:))
    try edit("flap/report.html") {
      let page = measurement.inserted(intoPage: $0)
      if page == nil { console.log.warning("flap/report.html is no report: it stays as it is") }
      return page ?? $0
    }
  }

  private static let largestPageBytes = 64 << 20

  private func edit(_ name: FilePath, _ change: (String) -> String) throws {
    let path = model.pushing(name)
    guard SmallFile.exists(path) else { return }
    let bytes = try SmallFile.read(path, limit: BenchRun.largestPageBytes)
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw UsageError("\(path) is not UTF-8: bench adds its figures to a text")
    }
    let changed = change(text)
    if changed != text { try AtomicFile.write(Array(changed.utf8), to: path) }
  }
}

extension SpeedMeasurement {
  static let file: FilePath = "flap/bench.json"

  /// What an earlier `bench` has left in a folder; nil where there is none that can be read.
  static func kept(in folder: FilePath) -> SpeedMeasurement? {
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    guard
      let bytes = try? SmallFile.read(folder.pushing(file), limit: Limits.jsonFileBytes)
    else { return nil }
    return try? decoder.decode(SpeedMeasurement.self, from: Data(bytes))
  }

  /// Adds what an engine measures, or a line about why it did not.
  fileprivate mutating func attempt(
    _ engine: String, _ measure: () throws -> SpeedMeasurement.Engine
  ) throws {
    do {
      engines.append(try measure())
    } catch ClusterError.interrupted(let signal) {
      throw ClusterError.interrupted(signal: signal)
    } catch let failure as ForeignProgram.Failure {
      notMeasured.append("not measured in \(engine): \(failure.reason)")
    } catch {
      notMeasured.append("not measured in \(engine): \(error)")
    }
  }

  fileprivate var table: String {
    let lines = [head] + rows
    let widths = head.indices.map { column in lines.map { $0[column].count }.max() ?? 0 }
    let body: [String] = lines.map { line in
      zip(line.indices, line).map { column, text in
        column == 0
          ? Format.leading(text, widths[0]) : Format.column(text, max(widths[column], 10) + 2)
      }.joined()
    }
    return (body + [""] + circumstances).joined(separator: "\n")
  }
}
