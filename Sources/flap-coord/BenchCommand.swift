import ArgumentParser
import Coordinator
import SystemPackage

struct Bench: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Measure how fast a model is on this CPU, in llama.cpp and in transformers.",
    discussion: """
      Prefill and decoding in tokens per second, beside sizes. The models are measured in turn; given \
      are medians. Of a folder that a run has written, flap/bench.json keeps the figures, and card and \
      report show them. What is not installed is left out and said.
      """)

  @Option(
    help: "The checkpoint's folder, or a GGUF file.", completion: .file(), transform: path)
  var model: FilePath
  @Option(
    help: "The dense model to compare with: a folder or a GGUF file.", completion: .file(),
    transform: path)
  var against: FilePath?
  @OptionGroup(title: "Measuring") var options: BenchOptions
  @OptionGroup(title: "Output") var console: OutputArguments

  func run() throws {
    try BenchRun(model: model, against: against, options: options).run(console.console)
  }
}
