import ArgumentParser
import Foundation
import LoadGenerator
import SystemPackage

/// Plays many workers for a `flap-coord calibrate`, to measure what the coordinator bears.
@main
struct FlapLoad: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "flap-load",
    abstract: "Put the load of many workers on a flap-coord; a tool for measuring.",
    discussion: """
      It computes nothing: reports have the real size and form and random
      numbers. Start the coordinator with a ticket, then this:

        flap-coord calibrate --launcher none --connect-file FILE ...
        flap-load --connect-file FILE --model DIR --connections 1000
      """)

  @Option(help: "The ticket that flap-coord wrote.", completion: .file()) var connectFile: String

  @Option(help: "The checkpoint's folder; its weights are not read.", completion: .directory)
  var model: String

  @Option(help: "Workers to play, each with a connection of its own.") var connections: Int

  @Option(help: "Seconds that each worker seems to compute before it reports.")
  var reportDelay = 0.0

  @Flag(help: "Print the result as one line of JSON.") var json = false

  func validate() throws {
    guard (1...1 << 20).contains(connections) else {
      throw ValidationError("--connections is from 1 to 1048576")
    }
    guard (0...86_400).contains(reportDelay) else {
      throw ValidationError("--report-delay is from 0 to 86400 (seconds)")
    }
  }

  func run() throws {
    var run = try LoadRun(
      LoadOptions(
        connectFile: FilePath(connectFile), modelDirectory: FilePath(model),
        connectionCount: connections, reportDelay: .seconds(reportDelay)))
    let summary = try run.run()
    guard json else { return print(summary) }
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys]
    print(String(decoding: try encoder.encode(summary), as: UTF8.self))
  }
}
