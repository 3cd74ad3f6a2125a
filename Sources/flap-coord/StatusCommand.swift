import ArgumentParser
import Coordinator
import SystemPackage

struct Status: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Show what a run is doing, or how it ended, from another terminal.",
    discussion: """
      From the run's folder, which is only read; or, also from another machine,
      from where the run serves its metrics. Exit code 0: it runs, was
      interrupted and can be continued with --resume, or is finished.
      """)

  @Argument(
    help: "--output of the run.", completion: .file(), transform: path)
  var output: FilePath?
  @Option(help: "--metrics of the run, ADDRESS:PORT.") var metrics: String?
  @OptionGroup(title: "Output") var console: OutputArguments

  func validate() throws {
    guard (output == nil) != (metrics == nil) else {
      throw ValidationError("give the run's --output, or its --metrics ADDRESS:PORT")
    }
  }

  func run() throws {
    let place = output.map(StatusRun.Place.output) ?? .metrics(metrics!)
    try StatusRun(place).run(console.console)
  }
}
