public import ArgumentParser
public import Coordinator
import SystemPackage

/// How workers are started.
struct ClusterArguments: ParsableArguments {
  @Option(
    name: .customLong("workers"),
    help: "The hosts file: one host per line; workers start there over ssh.",
    completion: .file(), transform: path)
  var hostsFile: FilePath?

  @Option(help: "How workers start: local, ssh, slurm, or none (they join on their own).")
  var launcher: LauncherChoice?

  @Option(help: "Worker processes on this machine (default: one for every four cores).")
  var localWorkers: Int?

  @Option(help: "Threads of each worker (default: its machine's cores).")
  var threads: Int?

  @Option(help: "The worker program, here and on the hosts (default: beside this program).")
  var workerProgram: String?

  @Option(help: "An option for ssh, Name=value; may be given again.")
  var sshOption: [String] = []

  @Option(help: "The private key for ssh.", completion: .file()) var sshIdentity: String?

  @Option(help: "An option for srun; may be given again.", completion: .file())
  var srunOption: [String] = []

  @Option(help: "Where to listen: an address or interface of this host, with or without :PORT.")
  var listen: String?

  @Option(
    help: "Write the ticket with which any worker may join (only its owner can read it).",
    completion: .file(), transform: path)
  var connectFile: FilePath?

  @Option(
    help: "Keys made by flap-coord keys (default: new ones for each run).", completion: .file(),
    transform: path)
  var keyFile: FilePath?

  @Flag(help: "No encryption and no keys: anybody who reaches the port can take part.")
  var insecure = false

  @Flag(help: "Go on with what an unfinished run has left; begin anew where there is none.")
  var resume = false

  @Flag(help: "Workers send their shards: for hosts that share no file system.")
  var gather = false

  @Option(help: "Seconds of silence after which a worker is given up.")
  var deadAfter = 10

  @Option(help: "Seconds without progress after which a worker is given up.")
  var hungAfter = 25

  @Option(help: "Seconds that a run waits for a worker.") var joinTimeout = 600

  @Flag(help: "End the run when workers compute with different kernels or different bits.")
  var strict = false

  @Option(help: "Serve Prometheus metrics at http://ADDRESS:PORT/metrics.") var metrics: String?

  func validate() throws {
    guard localWorkers ?? 1 >= 1 else { throw ValidationError("--local-workers is at least 1") }
    guard threads ?? 1 >= 1 else { throw ValidationError("--threads is at least 1") }
    guard deadAfter >= 2 else { throw ValidationError("--dead-after is at least 2 (seconds)") }
    guard hungAfter >= 2 else { throw ValidationError("--hung-after is at least 2 (seconds)") }
    guard joinTimeout >= 1 else { throw ValidationError("--join-timeout is at least 1 (second)") }
  }

  var options: ClusterOptions {
    var options = ClusterOptions()
    options.localWorkerCount = localWorkers
    options.threadsPerWorker = threads
    options.launcher = launcher
    options.hostsFile = hostsFile
    options.workerProgram = workerProgram
    options.sshOptions = sshOption
    options.sshIdentity = sshIdentity
    options.srunOptions = srunOption
    options.listen = listen
    options.connectFile = connectFile
    options.keyFile = keyFile
    options.isInsecure = insecure
    options.resumes = resume
    options.gathers = gather
    options.metrics = metrics
    options.deadAfter = .seconds(deadAfter)
    options.hungAfter = .seconds(hungAfter)
    options.joinLimit = .seconds(joinTimeout)
    options.isStrict = strict
    return options
  }
}

/// How the forward pass is run.
struct ForwardArguments: ParsableArguments {
  @Option(help: "Format of the matrix products: auto (bf16 where the CPU has it), bf16, f32.")
  var compute = ComputeChoice.auto

  @Option(help: "So many samples of the data (default: all; 1024 random ones of a text).")
  var samples: Int?

  @Option(help: "Tokens of a sample of text (default: 128).") var sequenceLength: Int?

  @Option(help: "Samples of text: random (usual to calibrate) or consecutive (to evaluate).")
  var sampling: SamplingOrder?

  @Option(help: "The seed of random samples (default: 0).") var seed: UInt64?

  @Option(help: "The key of the text in a line of .jsonl (default: text).") var textField: String?

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
    guard sequenceLength ?? 1 >= 1 else {
      throw ValidationError("--sequence-length is at least 1")
    }
    guard tokensPerLeaf >= 1 else { throw ValidationError("--tokens-per-leaf is at least 1") }
    guard leavesPerBlock ?? 1 >= 1 else {
      throw ValidationError("--leaves-per-block is at least 1")
    }
  }

  var options: ForwardOptions {
    var options = ForwardOptions()
    options.compute = compute
    options.sampleLimit = samples
    options.text.sequenceLength = sequenceLength
    options.text.order = sampling
    options.text.seed = seed
    options.text.field = textField
    options.tokensPerLeaf = tokensPerLeaf
    options.leavesPerBlock = leavesPerBlock
    return options
  }
}

/// What is removed.
struct SearchArguments: ParsableArguments {
  @Option(help: "Score of a channel: WIFV, IFV, WIFN, or magnitude (needs no data).")
  var metric = "WIFV"

  @Option(help: "How the cut is shared: AL-AM, AL-MM, UL-MM, UL-UM.")
  var structure = "AL-AM"

  @Option(help: "Groups of heads to remove from the whole model, for AL-MM and UL-MM.")
  var groupsRemoved: Int?

  @Flag(
    help: "Keep the same counts in every layer: loads as the model's own class, no remote code.")
  var uniform = false

  @Option(help: "Keep a multiple of this many neurons in every layer, such as 32, 64 or 256.")
  var roundTo: Int?

  @Option(help: "Keep heads, key/value heads and neurons that so many ranks share out evenly.")
  var tensorParallel: Int?

  /// Whether all are as when none was given.
  var areDefaults: Bool {
    metric == "WIFV" && structure == "AL-AM" && groupsRemoved == nil && !uniform && roundTo == nil
      && tensorParallel == nil
  }

  func options(_ ratios: [Double]) throws -> SearchOptions {
    try SearchOptions(
      ratios: ratios, metric: metric, structure: structure, groupsRemoved: groupsRemoved,
      isUniform: uniform, rounding: roundTo, ranks: tensorParallel)
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

  @Option(help: "safetensors, or gguf: a file for llama.cpp, model.gguf, besides.")
  var format = CheckpointFormat.safetensors

  @Option(help: "The dense model on the Hugging Face hub, OWNER/NAME, for the model card.")
  var baseModel: String?

  func options() throws -> WriteOptions {
    guard let bytes = ByteCount(maxShardSize) else {
      throw ValidationError("--max-shard-size \(maxShardSize): give a number such as 500MB or 4GB")
    }
    var options = WriteOptions(
      compensates: compensation, maximumShardBytes: bytes.value, format: format)
    try options.name(baseModel: baseModel)
    return options
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

  @Option(help: "How logs look: text or json (one object per line).")
  var logFormat = LogFormat.text

  var console: Console {
    Console(isJSON: json, isQuiet: quiet, isVerbose: verbose, logsJSON: logFormat == .json)
  }
}

enum LogFormat: String, ExpressibleByArgument, CaseIterable {
  case text, json
}

extension ComputeChoice: ExpressibleByArgument {}
extension RatioList: ExpressibleByArgument {
  public init?(argument: String) { self.init(argument) }
}
extension LauncherChoice: ExpressibleByArgument {}
extension SamplingOrder: ExpressibleByArgument {}

/// How the command line makes a path of an argument.
func path(_ argument: String) -> FilePath { FilePath(argument) }
