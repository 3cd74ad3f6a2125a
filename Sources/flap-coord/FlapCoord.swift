import ArgumentParser
import Coordinator

/// Prunes large language models with the CPUs you have.
@main
struct FlapCoord: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "flap-coord",
    abstract: "Prune LLaMA-family models with FLAP on the CPUs you have.",
    discussion: """
      Without a subcommand it prunes: calibrates, searches what to keep, and writes the pruned
      checkpoint, with worker processes that it starts itself.

        flap-coord --model DIR --calibration tokens.npy --ratio 0.2 --output PRUNED

      Step by step, so that one calibration serves many ratios:

        flap-coord calibrate --model DIR --calibration tokens.npy --output stats.safetensors
        flap-coord search --statistics stats.safetensors --ratio 0.2 --output plan.safetensors
        flap-coord write --model DIR --statistics stats.safetensors --plan plan.safetensors \\
          --output PRUNED
        flap-coord eval --model PRUNED --data test.npy
      """,
    version: CoordinatorProgram.version,
    subcommands: [Prune.self, Calibrate.self, Search.self, Write.self, Eval.self, Inspect.self],
    defaultSubcommand: Prune.self)
}
