import ArgumentParser
import Coordinator

/// Prunes large language models with the CPUs you have.
@main
struct FlapCoord: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "flap-coord",
    abstract: "Prune LLaMA-family models with FLAP on the CPUs you have.",
    discussion: """
      Without a subcommand it prunes: calibrates, searches what to keep, and
      writes the pruned checkpoint, with worker processes that it starts itself:

        flap-coord --model DIR --calibration tokens.npy --ratio 0.2 --output OUT

      Step by step, so that one calibration serves many ratios:

        flap-coord calibrate --model DIR --calibration tokens.npy --output STATS
        flap-coord search --statistics STATS --ratio 0.2 --output PLAN
        flap-coord write --model DIR --statistics STATS --plan PLAN --output OUT
        flap-coord eval --model OUT --data test.npy
        flap-coord export --model OUT --output OUT.gguf

      What each way to prune makes of a model:

        flap-coord compare --model DIR --calibration tokens.npy --eval test.npy \
          --ratio 0.2,0.5 --output FOLDER

      How much faster the result is, here:

        flap-coord bench --model OUT --against DIR

      What a run is doing, from another terminal:

        flap-coord status OUT
      """,
    version: CoordinatorProgram.version,
    subcommands: [
      Prune.self, Calibrate.self, Search.self, Write.self, Eval.self, Compare.self, Export.self,
      Bench.self, Status.self, Inspect.self, Keys.self,
    ],
    defaultSubcommand: Prune.self)

  static func main() {
    CoordinatorProgram.endOnSignals()
    let arguments = Array(CommandLine.arguments.dropFirst())
    do {
      var command = try parse(asTyped: arguments)
      try command.run()
    } catch let error as ClusterError where error.exitCode != nil {
      Console.write(error: error)
      exit(withError: ExitCode(error.exitCode!))
    } catch {
      exit(withError: error)
    }
  }

  func validate() throws { try CoordinatorProgram.checkArguments() }
}
