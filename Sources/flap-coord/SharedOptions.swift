public import ArgumentParser
public import Coordinator
import SystemPackage

/// How workers are started.
struct ClusterArguments: ParsableArguments {
  @Option(help: "Worker processes on this machine (default: one for every four cores).")
  var localWorkers: Int?

  @Option(help: "Threads of each worker (default: the cores shared among the workers).")
  var threads: Int?

  @Option(help: "The worker program (default: flap-worker beside this program).")
  var workerProgram: String?

  @Option(help: "Seconds of silence after which a worker is given up.")
  var deadAfter = 10

  @Flag(help: "End the run when two workers compute different bits.")
  var strict = false

  func validate() throws {
    guard localWorkers ?? 1 >= 1 else { throw ValidationError("--local-workers is at least 1") }
    guard threads ?? 1 >= 1 else { throw ValidationError("--threads is at least 1") }
    guard deadAfter >= 2 else { throw ValidationError("--dead-after is at least 2 (seconds)") }
  }

  var options: ClusterOptions {
    var options = ClusterOptions()
    options.localWorkerCount = localWorkers
    options.threadsPerWorker = threads
    options.workerProgram = workerProgram.map { FilePath($0) }
    options.deadAfter = .seconds(deadAfter)
    options.isStrict = strict
    return options
  }
}

/// How the forward pass is run.
struct ForwardArguments: ParsableArguments {
  @Option(help: "Format of the matrix products: auto (bf16 where the CPU has it), bf16, f32.")
  var compute = ComputeChoice.auto

  @Option(help: "Use the first so many samples of the data (default: all).")
  var samples: Int?

  @Option(
    help: ArgumentHelp(
      "Tokens, about, that go through a product together; part of what decides the bits.",
      visibility: .hidden))
  var tokensPerLeaf = 2048

  @Option(
    help:
      "Leaves (of some 2048 tokens) per task: more read the weights less often, hold more memory.")
  var leavesPerBlock: Int?

  func validate() throws {
    guard samples ?? 1 >= 1 else { throw ValidationError("--samples is at least 1") }
    guard tokensPerLeaf >= 1 else { throw ValidationError("--tokens-per-leaf is at least 1") }
    guard leavesPerBlock ?? 1 >= 1 else {
      throw ValidationError("--leaves-per-block is at least 1")
    }
  }

  var options: ForwardOptions {
    var options = ForwardOptions()
    options.compute = compute
    options.sampleLimit = samples
    options.tokensPerLeaf = tokensPerLeaf
    options.leavesPerBlock = leavesPerBlock
    return options
  }
}

/// What is removed.
struct SearchArguments: ParsableArguments {
  @Option(help: "Share of the decoder layers' parameters to remove, 0 ≤ R < 1.")
  var ratio: Double

  @Option(help: "Score of a channel: WIFV, IFV, WIFN, or magnitude (needs no data).")
  var metric = "WIFV"

  @Option(help: "How the cut is shared: AL-AM, AL-MM, UL-MM, UL-UM.")
  var structure = "AL-AM"

  @Option(help: "Groups of heads to remove from the whole model, for AL-MM and UL-MM.")
  var groupsRemoved: Int?

  func options() throws -> SearchOptions {
    try SearchOptions(
      ratio: ratio, metric: metric, structure: structure, groupsRemoved: groupsRemoved)
  }
}

/// How the pruned checkpoint is written.
struct WriteArguments: ParsableArguments {
  @Flag(
    inversion: .prefixedNo,
    help: "Add biases that restore the mean output of what was removed.")
  var compensation = true

  @Option(help: "Largest shard, in bytes or with a suffix KB, MB, GB.")
  var maxShardSize = "4GB"

  func options() throws -> WriteOptions {
    guard let bytes = ByteCount(maxShardSize) else {
      throw ValidationError("--max-shard-size \(maxShardSize): give a number such as 500MB or 4GB")
    }
    return WriteOptions(compensates: compensation, maximumShardBytes: bytes.value)
  }
}

/// What is said, and how.
struct OutputArguments: ParsableArguments {
  @Flag(help: "Print the result as one line of JSON on standard output.")
  var json = false

  @Flag(help: "Say nothing but warnings and errors.")
  var quiet = false

  @Flag(help: "Say more of what goes on.")
  var verbose = false

  var console: Console {
    Console(isJSON: json, isQuiet: quiet, isVerbose: verbose)
  }
}

extension ComputeChoice: ExpressibleByArgument {}

/// How the command line makes a path of an argument.
func path(_ argument: String) -> FilePath { FilePath(argument) }
