import ArgumentParser
import Foundation
import Logging
import SystemPackage
import Worker

/// Computes for a `flap-coord`, which starts it.
@main
struct FlapWorker: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "flap-worker",
    abstract: "Compute for a flap-coord.",
    discussion: "flap-coord starts its workers itself; this program is rarely started by hand.",
    version: WorkerProgram.version)

  @Option(help: "The coordinator's endpoint, such as tcp://127.0.0.1:40001.")
  var connect: String

  @Option(help: "The checkpoint's folder on this machine.")
  var model: String

  @Option(help: "Threads that compute.")
  var threads = 1

  @Flag(help: "End when standard input closes, as it does when the coordinator ends.")
  var watchStdin = false

  func validate() throws {
    guard threads >= 1 else { throw ValidationError("--threads is at least 1") }
  }

  func run() throws {
    let options = WorkerOptions(
      endpoint: connect, modelDirectory: FilePath(model), threadCount: threads,
      watchesStandardInput: watchStdin)
    do {
      try WorkerProgram.run(options, log: Logger(label: "flap-worker"))
    } catch {
      FileHandle.standardError.write(Data("flap-worker: \(error)\n".utf8))
      throw ExitCode.failure
    }
  }
}
