import ArgumentParser
import Benchmark
import FlapCore
import SystemPackage

/// What `deploy/bench.sh` lets compete: each subcommand is a process that takes turns.
@main
struct FlapBench: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "flap-bench",
    abstract: "Contestants of deploy/bench.sh; a tool for measuring.",
    discussion: """
      A contestant that is ready writes a line of JSON. A line "turn SECONDS"
      on its standard input makes it work for so long and write another one.
      """,
    subcommands: [
      Forward.self, Library.self, Products.self, SecondMoments.self, Peak.self, First.self,
      Tokenize.self,
    ])
}

struct ComputeOptions: ParsableArguments {
  @Option(help: "Threads.") var threads: Int
  @Option(help: "Format of the operands.") var compute: Format

  func validate() throws {
    guard (1...4096).contains(threads) else {
      throw ValidationError("--threads is from 1 to 4096")
    }
  }
}

struct WorkUnitOptions: ParsableArguments {
  @OptionGroup var how: ComputeOptions
  @Option(help: "The checkpoint's folder.", completion: .directory) var model: String
  @Option(help: "Token ids (.npy).", completion: .file()) var tokens: String
  @Option(help: "Tokens of one sample.") var tokensPerSample: Int
  @Option(help: "Samples of one work unit.") var samples: Int

  func validate() throws {
    guard (1...1 << 20).contains(tokensPerSample), (1...1 << 20).contains(samples) else {
      throw ValidationError("--tokens-per-sample and --samples are from 1 to 1048576")
    }
  }

  var forward: ForwardOptions {
    ForwardOptions(
      modelDirectory: FilePath(model), tokens: FilePath(tokens), tokensPerSample: tokensPerSample,
      sampleCount: samples, threadCount: how.threads, compute: how.compute.computeType)
  }
}

struct Forward: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "A worker's forward pass with statistics.")

  @OptionGroup var unit: WorkUnitOptions

  func run() throws {
    var loop = ContestantLoop(try ForwardContestant(unit.forward))
    try loop.run()
  }
}

struct Library: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "A layer's products through oneDNN alone; OMP_NUM_THREADS says how many threads.")

  @Option(help: "The checkpoint's folder; its weights are not read.", completion: .directory)
  var model: String
  @Option(help: "Tokens that go through a product together.") var rows: Int
  @Option(help: "Format of the operands.") var compute: Format
  @Flag(help: "Weights in the layout that the library asks for.") var packed = false

  func validate() throws {
    guard (1...1 << 20).contains(rows) else {
      throw ValidationError("--rows is from 1 to 1048576")
    }
  }

  func run() throws {
    var loop = ContestantLoop(
      try LibraryContestant(
        modelDirectory: FilePath(model), rowCount: rows, compute: compute.computeType,
        isPacked: packed))
    try loop.run()
  }
}

struct Products: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "A layer's products alone, as the forward pass does them.")

  @OptionGroup var how: ComputeOptions
  @Option(help: "The checkpoint's folder; its weights are not read.", completion: .directory)
  var model: String
  @Option(help: "Tokens that go through a product together.") var rows: Int

  func validate() throws {
    guard (1...1 << 20).contains(rows) else {
      throw ValidationError("--rows is from 1 to 1048576")
    }
  }

  func run() throws {
    var loop = ContestantLoop(
      try ProductContestant(
        modelDirectory: FilePath(model), rowCount: rows, compute: how.compute.computeType,
        threadCount: how.threads))
    try loop.run()
  }
}

struct SecondMoments: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Second moments of a layer's taps, as the second pass sums them.")

  @OptionGroup var how: ComputeOptions
  @Option(help: "The checkpoint's folder; its weights are not read.", completion: .directory)
  var model: String
  @Option(help: "Tokens that go through a tap together.") var rows: Int

  func validate() throws {
    guard (1...1 << 20).contains(rows) else {
      throw ValidationError("--rows is from 1 to 1048576")
    }
  }

  func run() throws {
    var loop = ContestantLoop(
      try SecondMomentContestant(
        modelDirectory: FilePath(model), rowCount: rows, compute: how.compute.computeType,
        threadCount: how.threads))
    try loop.run()
  }
}

struct Peak: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "The CPU's multipliers, fed from registers.")

  @OptionGroup var how: ComputeOptions

  func run() throws {
    var loop = ContestantLoop(
      PeakContestant(compute: how.compute.computeType, threadCount: how.threads))
    try loop.run()
  }
}

struct Tokenize: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Texts to token ids, on one thread.")

  @Option(help: "A tokenizer.json or a SentencePiece model.", completion: .file())
  var tokenizer: String
  @Option(help: "A folder of UTF-8 files.", completion: .directory) var texts: String

  func run() throws {
    var loop = ContestantLoop(
      try TokenizerContestant(tokenizer: FilePath(tokenizer), texts: FilePath(texts)))
    try loop.run()
  }
}

struct First: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "first-product",
    abstract: "Print when a worker that starts has its first products.")

  @OptionGroup var unit: WorkUnitOptions

  func run() throws { try FirstProduct.run(unit.forward) }
}

/// The format of the products' operands, as an argument.
enum Format: String, ExpressibleByArgument, CaseIterable {
  case bf16, f32

  var computeType: ComputeType {
    switch self {
    case .bf16: .bfloat16
    case .f32: .float32
    }
  }
}
