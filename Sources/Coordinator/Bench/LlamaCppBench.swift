internal import FlapCore
internal import Foundation
internal import Host
internal import Report
internal import SystemPackage

/// Speed in llama.cpp, by its own llama-bench.
struct LlamaCppBench {
  static let name = "llama.cpp"

  let program: ForeignProgram
  let options: BenchOptions

  /// One line of llama-bench's JSON: either a prompt or generated tokens.
  private struct Test: Decodable {
    let buildCommit: String
    let buildNumber: Int
    let nPrompt: Int
    let nGen: Int
    let avgTs: Double
  }

  private struct Round {
    let prefill: Double
    let decode: Double
    let version: String
  }

  /// - Throws: ``ForeignProgram/Failure``, what the export of a checkpoint throws.
  func measure(
    _ subjects: BenchedModels<BenchSubject>, _ interruption: Interruption
  ) throws -> SpeedMeasurement.Engine {
    let folder = try ScratchFolder()
    defer { withExtendedLifetime(folder) {} }
    let files = try subjects.map {
      try $0.ggufFile(options.type.elementType, in: folder.path, interruption)
    }
    let rounds = try files.measure(rounds: options.rounds) { try round($0, interruption) }
    return SpeedMeasurement.Engine(
      name: LlamaCppBench.name, version: rounds.model[0].version, model: speed(rounds.model),
      against: rounds.against.isEmpty ? nil : speed(rounds.against))
  }

  private func round(_ file: FilePath, _ interruption: Interruption) throws -> Round {
    let output = try program.run(
      [
        "-m", file.string, "-p", "\(options.promptTokens)", "-n", "\(options.generatedTokens)",
        "-t", "\(options.threadCount)", "-r", "1", "-ngl", "0", "-o", "json",
      ], interruption)
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    guard let tests = try? decoder.decode([Test].self, from: output),
      let prefill = tests.first(where: { $0.nPrompt > 0 && $0.nGen == 0 }), prefill.avgTs > 0,
      let decode = tests.first(where: { $0.nPrompt == 0 && $0.nGen > 0 }), decode.avgTs > 0
    else {
      throw ForeignProgram.Failure(
        reason: "\(program.path) printed no JSON of llama-bench with a prompt and generated tokens")
    }
    let build = prefill.buildNumber > 0 ? "b\(prefill.buildNumber) " : ""
    return Round(
      prefill: prefill.avgTs, decode: decode.avgTs,
      version: build + "(\(PlainText.line(prefill.buildCommit, limit: 40)))")
  }

  private func speed(_ rounds: [Round]) -> SpeedMeasurement.Speed {
    SpeedMeasurement.Speed(
      prefill: .init(rounds: rounds.map(\.prefill)), decode: .init(rounds: rounds.map(\.decode)))
  }
}
