public import ArgumentParser

/// How samples are taken from text; token ids in a `.npy` are taken as they are.
public struct TextOptions: ParsableArguments, Sendable {
  @Option(
    name: [.long, .customLong("window")],
    help: "Tokens of a sample of text, the window of a perplexity (default: 128).")
  var sequenceLength: Int?

  @Option(
    name: .customLong("sampling"),
    help: "Samples of text: random (usual to calibrate) or consecutive (to evaluate).")
  var order: SamplingOrder?

  @Option(help: "The seed of random samples (default: 0).") var seed: UInt64?

  @Option(
    name: .customLong("text-field"),
    help: "The field of a JSON object, or the column of a table, that is the text (default: text).")
  var field: String?

  @Option(
    name: .customLong("chat-template"),
    help: "A file with the chat template that writes conversations (default: the model's).",
    completion: .file(extensions: ["jinja"]))
  var chatTemplate: String?

  @Flag(
    name: .customLong("keep-line-ends"),
    help: "Text with its line ends as they are; else CR LF and CR of a .txt are read as LF.")
  var keepsLineEnds = false

  @Option(
    name: .customLong("pad-id"), parsing: .unconditional,
    help:
      "The id that fills up rows of token ids: left out, rows come one after another, cut to samples of --sequence-length (default: a row's)."
  )
  var padID: Int32?

  public init() {}

  public func validate() throws {
    guard sequenceLength ?? 1 >= 1 else {
      throw ValidationError("--sequence-length is at least 1")
    }
  }
}

public enum SamplingOrder: String, ExpressibleByArgument, Sendable, CaseIterable {
  case random
  case consecutive
}
