import ArgumentParser
import Coordinator
import SystemPackage

struct Export: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Make a GGUF file for llama.cpp of a checkpoint, dense or pruned.",
    discussion: """
      The file holds the tokenizer, too, and can be quantized by llama.cpp. Layers of
      unequal sizes need a llama.cpp of 2025 or later.
      """)

  @OptionGroup var model: ModelOption
  @Option(help: "The file to write, FILE.gguf.", completion: .file(), transform: path)
  var output: FilePath
  @Option(help: "Type of the matrices: auto (the checkpoint's), bf16, f16, f32.")
  var type = ExportType.auto
  @OptionGroup(title: "Output") var console: OutputArguments

  func run() throws {
    try ExportRun(model: try model.folder, output: output, type: type).run(console.console)
  }
}
