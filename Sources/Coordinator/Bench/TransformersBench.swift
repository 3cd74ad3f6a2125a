internal import FlapCore
internal import Foundation
internal import Host
internal import Report
internal import SystemPackage

/// Speed in transformers, by a script that one process runs over all models.
struct TransformersBench {
  static let name = "transformers"

  let python: ForeignProgram
  let options: BenchOptions

  /// The Python to take.
  ///
  /// - Throws: ``ForeignProgram/Failure`` where none has torch and transformers.
  static func python(_ named: String?, _ interruption: Interruption) throws -> ForeignProgram {
    let candidates = named.map { [$0] } ?? ["python3", ".venv/bin/python"]
    let check =
      "import importlib.util as u, sys; "
      + "sys.exit(0 if u.find_spec('torch') and u.find_spec('transformers') else 1)"
    for candidate in candidates {
      guard let program = ForeignProgram(candidate) else { continue }
      do {
        _ = try program.run(["-c", check], interruption)
        return program
      } catch is ForeignProgram.Failure {
        continue
      }
    }
    throw ForeignProgram.Failure(
      reason: "neither torch nor transformers found by \(candidates.joined(separator: ", ")): "
        + "name a Python that has both with --python")
  }

  private struct Settings: Encodable {
    let prompt: Int
    let generate: Int
    let rounds: Int
    let threads: Int
    let models: [String]
  }

  private struct Answer: Decodable {
    struct Rates: Decodable {
      let prefill: [Double]
      let decode: [Double]
    }

    let version: String
    let models: [Rates]
  }

  /// - Throws: ``ForeignProgram/Failure``.
  func measure(
    _ folders: BenchedModels<FilePath>, _ interruption: Interruption
  ) throws -> SpeedMeasurement.Engine {
    let settings = Settings(
      prompt: options.promptTokens, generate: options.generatedTokens, rounds: options.rounds,
      threads: options.threadCount, models: folders.all.map(\.absolute.string))
    let output = try python.run(
      [
        "-c", String(decoding: PackageResources.TransformersBench_py, as: UTF8.self),
        String(decoding: try JSONEncoder().encode(settings), as: UTF8.self),
      ], interruption)
    guard let answer = try? JSONDecoder().decode(Answer.self, from: output),
      answer.models.count == folders.all.count,
      answer.models.allSatisfy({
        $0.prefill.count == options.rounds && $0.decode.count == options.rounds
      })
    else { throw ForeignProgram.Failure(reason: "\(python.path) printed no measurement") }
    let speeds = answer.models.map {
      SpeedMeasurement.Speed(prefill: .init(rounds: $0.prefill), decode: .init(rounds: $0.decode))
    }
    return SpeedMeasurement.Engine(
      name: TransformersBench.name, version: PlainText.line(answer.version), model: speeds[0],
      against: speeds.count > 1 ? speeds[1] : nil)
  }
}
