import ArgumentParser
import Checkpoint
import Coordinator
import Pruning
import SystemPackage

struct Prune: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Calibrate, search and write a pruned checkpoint (the default).")

  @OptionGroup var model: ModelOption
  @Option(
    help:
      "Text, tables of text, a folder, - (see the README), or token ids (.npy [samples, tokens]).",
    completion: .file(), transform: path)
  var calibration: FilePath?
  @Option(
    help: "Measure perplexity over this data afterwards, dense and pruned, on this machine.",
    completion: .file(), transform: path)
  var eval: FilePath?
  @OptionGroup var tasks: TaskOptions
  @Option(help: "The folder to write; new or empty.", completion: .file(), transform: path)
  var output: FilePath
  @Option(help: "Share of the decoder layers' parameters to remove, 0 ≤ R < 1.")
  var ratio: Double?
  @OptionGroup(title: "Search") var search: SearchArguments
  @OptionGroup(title: "Writing") var write: WriteOptions
  @Flag(
    inversion: .prefixedNo,
    help: """
      Least squares map by map, to the inputs that the pruned model brings. As a rule with --method \
      best only.
      """)
  var sequential: Bool?
  @OptionGroup(title: "Forward pass") var forward: ForwardOptions
  @OptionGroup(title: "Workers") var cluster: ClusterOptions
  @OptionGroup(title: "Output") var console: OutputArguments

  @Flag(help: "Show what would run and the peak memory of a worker; start nothing.")
  var dryRun = false

  func run() throws {
    let run = PruneRun(
      model: try model.folder, calibration: calibration, evaluation: eval, tasks: tasks,
      output: output,
      search: try search.options(ratio.map { [$0] }), write: write, forward: forward,
      cluster: cluster,
      sequential: sequential, command: CommandLine.arguments)
    try dryRun ? run.describe(console.console) : run.run(console.console)
  }
}

struct Calibrate: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Measure the statistics of a model over samples, once for any ratio.")

  @OptionGroup var model: ModelOption
  @Option(
    help:
      "Text, tables of text, a folder, - (see the README), or token ids (.npy [samples, tokens]).",
    completion: .file(), transform: path)
  var calibration: FilePath
  @Option(help: "The statistics file to write.", completion: .file(), transform: path) var output:
    FilePath
  @Option(
    help: "flap, or best: also second moments, orders of removal and losses, for --method best.")
  var method = PruningMethod.flap
  @Option(
    help: """
      A folder to write besides: the second moments, for --compensation least-squares. With --method \
      best the name of --output and -second-moments, if not given.
      """, completion: .file(), transform: path)
  var secondMoments: FilePath?
  @Flag(help: "Also the mean output of every expert, for --replace-experts.")
  var replaceExperts = false

  @Flag(help: "Also the moments of every expert's neurons, for --structure AL-AM and UL-UM.")
  var expertNeurons = false
  @OptionGroup(title: "Forward pass") var forward: ForwardOptions
  @OptionGroup(title: "Workers") var cluster: ClusterOptions
  @OptionGroup(title: "Output") var console: OutputArguments

  @Flag(help: "Show what would run and the peak memory of a worker; start nothing.")
  var dryRun = false

  func run() throws {
    let run = CalibrationRun(
      model: try model.folder, calibration: calibration, output: output, method: method,
      secondMoments: secondMoments, measuresExpertOutputs: replaceExperts,
      measuresExpertNeurons: expertNeurons, forward: forward,
      cluster: cluster)
    try dryRun ? run.describe(console.console) : run.run(console.console)
  }
}

struct Search: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Find what to keep, from a statistics file alone: no weights, no workers.")

  @Option(help: "The statistics file.", completion: .file(), transform: path) var statistics:
    FilePath
  @Option(
    help: "Share of the decoder layers' parameters to remove; several with commas: 0.1,0.2,0.5.")
  var ratio: RatioList?
  @Option(
    help: "The plan file to write; of several ratios each has its own in its name.",
    completion: .file(), transform: path)
  var output: FilePath?
  @OptionGroup(title: "Search") var search: SearchArguments
  @OptionGroup(title: "Output") var console: OutputArguments

  func run() throws {
    try SearchRun(
      statistics: statistics, output: output, search: try search.options(ratio?.ratios)
    ).run(console.console)
  }
}

struct Write: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Write the pruned checkpoint that a plan describes.")

  @OptionGroup var model: ModelOption
  @Option(help: "The plan file.", completion: .file(), transform: path) var plan: FilePath
  @Option(
    help: "The statistics file; not needed with --compensation none.", completion: .file(),
    transform: path)
  var statistics: FilePath?
  @Option(
    help: "The folder of second moments, for --compensation least-squares.", completion: .directory,
    transform: path)
  var secondMoments: FilePath?
  @Option(help: "The folder to write; new or empty.", completion: .file(), transform: path)
  var output: FilePath
  @OptionGroup(title: "Writing") var write: WriteOptions
  @OptionGroup(title: "Workers") var cluster: ClusterOptions
  @OptionGroup(title: "Output") var console: OutputArguments

  func run() throws {
    try WriteRun(
      model: try model.folder, plan: plan, statistics: statistics, secondMoments: secondMoments,
      output: output, write: write, cluster: cluster
    ).run(console.console)
  }
}

struct Eval: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Perplexity of a model, dense or pruned, and how well it answers questions.",
    discussion: """
      Perplexity is over tokens 1… of every sample. With plans, or with statistics and ratios, also of what they would leave of the model, \
      without a checkpoint being written.
      """)

  @OptionGroup var model: ModelOption
  @Option(
    help:
      "Text, tables of text, a folder, - (see the README), or token ids (.npy [samples, tokens]).",
    completion: .file(), transform: path)
  var data: FilePath?
  @OptionGroup var tasks: TaskOptions
  @Option(
    help: """
      Tokens from a window of text to the next: of each but the first only these last tokens count, \
      predicted with all of the window before them. As a rule that of a window: none overlap.
      """)
  var stride: Int?
  @Option(
    help: "A plan to try; may be given again.", completion: .file(), transform: path)
  var plan: [FilePath] = []
  @Option(
    help: "The statistics file: for the compensation of plans, and for --ratio.",
    completion: .file(), transform: path)
  var statistics: FilePath?
  @Option(
    help: "The folder of second moments, for --compensation least-squares.", completion: .directory,
    transform: path)
  var secondMoments: FilePath?
  @Option(help: "Ratios to search plans for and to try, such as 0.1,0.2,0.5.")
  var ratio: RatioList?
  @Option(
    help: """
      The compensation that a written checkpoint would have: none, bias, least-squares. As a rule \
      bias; with second moments least-squares.
      """)
  var compensation: CompensationMethod?
  @OptionGroup(title: "Search") var search: SearchArguments
  @OptionGroup(title: "Forward pass") var forward: ForwardOptions
  @OptionGroup(title: "Workers") var cluster: ClusterOptions
  @OptionGroup(title: "Output") var console: OutputArguments

  func validate() throws {
    guard data != nil || !tasks.isEmpty else {
      throw ValidationError("give --data for a perplexity, --tasks for questions, or both")
    }
    guard data != nil || stride == nil else { throw ValidationError("--stride goes with --data") }
    guard ratio != nil || search.expertsRatio != nil || search.areDefaults else {
      throw ValidationError("options of the search need --ratio: a --plan was searched before")
    }
  }

  func run() throws {
    let plans = EvaluationPlans(
      plans: plan,
      search: ratio == nil && search.expertsRatio == nil ? nil : try search.options(ratio?.ratios),
      statistics: statistics, secondMoments: secondMoments, compensation: compensation)
    try EvaluationRun(
      model: try model.folder, data: data, stride: stride, tasks: tasks, pruning: plans,
      forward: forward,
      cluster: cluster
    ).run(console.console)
  }
}

struct Compare: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Perplexities of what each way to prune leaves of a model; no checkpoint is written.",
    discussion: """
      magnitude-sp, wanda-sp (both with the same ratio in every layer and no compensation), flap (as \
      published), and the steps from there to best: least-squares on FLAP's plan, obs (order of \
      removal), measured (counts by measured loss), best (map by map).
      """)

  @OptionGroup var model: ModelOption
  @Option(
    help:
      "Text, tables of text, a folder, - (see the README), or token ids (.npy [samples, tokens]).",
    completion: .file(), transform: path)
  var calibration: FilePath
  @Option(
    help: "Data of the same forms, for the perplexities.", completion: .file(), transform: path)
  var eval: FilePath
  @Option(help: "Ratios to try, such as 0.2,0.5.")
  var ratio: RatioList
  @Option(help: "Methods, with commas between.")
  var methods = MethodList.all
  @Option(
    help: "A folder: gets statistics, second moments, compare.json and compare.html.",
    completion: .file(), transform: path)
  var output: FilePath
  @OptionGroup(title: "Forward pass") var forward: ForwardOptions
  @OptionGroup(title: "Workers") var cluster: ClusterOptions
  @OptionGroup(title: "Output") var console: OutputArguments

  func run() throws {
    try ComparisonRun(
      model: try model.folder, calibration: calibration, evaluation: eval, output: output,
      ratios: ratio.ratios, methods: methods, forward: forward, cluster: cluster
    ).run(console.console)
  }
}

struct Keys: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Make keys for workers that are started independently of flap-coord.")

  @Option(help: "Where flap-coord will listen, as the workers reach it: tcp://HOST:PORT.")
  var endpoint: String
  @Option(
    help: "The file to write for flap-coord --key-file.", completion: .file(), transform: path)
  var coordinator: FilePath
  @Option(
    help: "The file to write for flap-worker --connect-file.", completion: .file(),
    transform: path)
  var worker: FilePath

  func run() throws {
    try KeyMaking(endpoint: endpoint, coordinator: coordinator, worker: worker).run()
  }
}

struct Inspect: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Show what a statistics file, a plan, a safetensors file or a checkpoint holds.")

  @Argument(
    help: "A file, or a checkpoint's folder or OWNER/NAME.", completion: .file(), transform: path)
  var file: FilePath
  @Flag(help: "Read every tensor of the checkpoint, and show the digest of all its bits.")
  var verify = false
  @Option(
    help: """
      What the model is compared with: the folder of a checkpoint that was pruned from it, a \
      statistics file, a plan, or another copy of the model.
      """, completion: .file(), transform: path)
  var against: FilePath?
  @OptionGroup(title: "Output") var console: OutputArguments

  func validate() throws {
    guard verify || against == nil else { throw ValidationError("--against goes with --verify") }
  }

  func run() throws {
    let file = try folder(of: file)
    guard verify else { return try Inspection(path: file).run(console.console) }
    try Verification(model: file, against: try against.map(folder)).run(console.console)
  }

  /// A model may be named as on the hub; any other path is itself.
  private func folder(of path: FilePath) throws -> FilePath {
    path.extension == "safetensors" ? path : try HubCache.ofThisUser.folder(of: path)
  }
}
