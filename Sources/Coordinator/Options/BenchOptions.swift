public import ArgumentParser
internal import Host

/// What `bench` measures, and with what.
public struct BenchOptions: ParsableArguments, Sendable {
  @Option(help: "llama.cpp's llama-bench; as a rule the one in PATH.", completion: .file())
  var llamaBench: String?

  @Option(
    help: """
      A Python with torch and transformers; as a rule the first that has them of python3 in PATH and \
      .venv/bin/python.
      """, completion: .file())
  var python: String?

  @Option(help: "Type of the matrices in llama.cpp: auto (the checkpoint's), bf16, f16, f32.")
  var type = ExportType.auto

  @Option(help: "Tokens of the prompt.")
  var promptTokens = 256

  @Option(help: "Tokens that are generated one after another.")
  var generatedTokens = 64

  @Option(help: "How often each model is measured, in turn.")
  var rounds = 5

  @Option(help: "Threads; as a rule one for each core.")
  var threads: Int?

  public init() {}

  var threadCount: Int { threads ?? Host.coreCount }

  public func validate() throws {
    for (name, value) in [
      ("prompt-tokens", promptTokens), ("generated-tokens", generatedTokens), ("rounds", rounds),
      ("threads", threadCount),
    ] {
      guard (1...100_000).contains(value) else {
        throw ValidationError("--\(name) is \(value): a number from 1 to 100000")
      }
    }
  }
}
