import ArgumentParser
import Checkpoint
import Coordinator
import SystemPackage

/// The model that a command works on.
struct ModelOption: ParsableArguments {
  @Option(
    help: """
      The checkpoint's folder; or OWNER/NAME, with @REVISION if not the main one, to be found in the \
      Hugging Face cache of this machine.
      """, completion: .directory, transform: path)
  var model: FilePath

  /// - Throws: `HubCacheError` with the command that downloads it.
  var folder: FilePath {
    get throws { try HubCache.ofThisUser.folder(of: model) }
  }
}

/// What is removed.
struct SearchArguments: ParsableArguments {
  @Option(
    help: """
      flap (as published) or best: --metric OBS --structure measured --compensation least-squares \
      --sequential, from second moments and measured losses.
      """)
  var method = PruningMethod.flap

  @Option(
    help: """
      Score of a channel: WIFV, IFV, WIFN, magnitude (needs no data), or OBS, an order of removal. \
      As a rule WIFV; OBS with --method best and --structure measured. Of experts: REAP (as a rule), \
      frequency or random.
      """)
  var metric: String?

  @Option(
    help: """
      How the ratio is shared among the layers: AL-AM, AL-MM, UL-MM, UL-UM, or measured, by \
      measured losses. As a rule AL-AM; measured with --method best. Of a model with experts: experts, \
      which alone go (as a rule), AL-AM or UL-UM.
      """)
  var structure: String?

  @Option(help: "Groups of heads to remove from the whole model, for AL-MM and UL-MM.")
  var groupsRemoved: Int?

  @Flag(
    help: """
      Let AL-AM stop where the published code does, up to a unit short of the ratio or beyond, \
      instead of within half a neuron.
      """)
  var publishedCut = false

  @Flag(
    help: "Keep the same counts in every layer: loads as the model's own class, no remote code.")
  var uniform = false

  @Option(help: "Keep a multiple of this many neurons in every layer, such as 32, 64 or 256.")
  var roundTo: Int?

  @Option(help: "Ranks among which every layer's heads, key/value heads and neurons divide evenly.")
  var tensorParallel: Int?

  @Option(help: "Layers that keep all heads and neurons, counted from 0, such as 0,1,30-31.")
  var excludeLayers: LayerList?

  @Option(
    help: """
      Share of attention's parameters to remove, 0 to spare it; the MLPs lose the rest of --ratio. \
      For AL-AM, UL-UM and measured.
      """)
  var attentionRatio: Double?

  @Option(help: "The same of the MLPs; attention loses the rest of --ratio.")
  var mlpRatio: Double?

  @Option(
    help: """
      Share of the experts to remove from every layer, instead of --ratio of the parameters; for \
      models with experts. With --structure AL-AM or UL-UM beside it: heads and neurons lose the rest \
      of --ratio.
      """)
  var expertsRatio: Double?

  @Option(help: "Seed of --metric random.")
  var expertsSeed: UInt64 = 0

  @Flag(
    help: """
      The mean output of an expert takes its place, and the router keeps its rows (MoNE); remote code \
      for transformers. Statistics for it are those of calibrate --replace-experts.
      """)
  var replaceExperts = false

  /// Whether all are as when none was given.
  var areDefaults: Bool {
    method == .flap && metric == nil && structure == nil && groupsRemoved == nil && !uniform
      && roundTo == nil && tensorParallel == nil && !publishedCut && excludeLayers == nil
      && attentionRatio == nil && mlpRatio == nil && expertsRatio == nil && expertsSeed == 0
      && !replaceExperts
  }

  /// - Parameter ratios: nil: not given.
  func options(_ ratios: [Double]?) throws -> SearchOptions {
    guard let ratios = ratios ?? (expertsRatio == nil ? nil : []) else {
      throw ValidationError("Missing expected argument '--ratio <ratio>'")
    }
    return try SearchOptions(
      ratios: ratios, method: method, metric: metric, structure: structure,
      groupsRemoved: groupsRemoved, isUniform: uniform, rounding: roundTo, ranks: tensorParallel,
      cutsAsPublished: publishedCut, excludedLayers: excludeLayers?.layers ?? [],
      experts: ExpertOptions(
        share: expertsRatio, seed: expertsSeed, replaces: replaceExperts),
      attentionRatio: attentionRatio,
      mlpRatio: mlpRatio)
  }
}

/// What is said, and how.
struct OutputArguments: ParsableArguments {
  @Flag(help: "Print the result as one line of JSON on standard output.")
  var json = false

  @Flag(help: "Log errors only, and print no result that stands in a file.")
  var quiet = false

  @Flag(help: "Log debug messages, too.")
  var verbose = false

  @Option(help: "Format of the log: text or json (one object per line).")
  var logFormat = LogFormat.text

  var console: Console {
    Console(isJSON: json, isQuiet: quiet, isVerbose: verbose, logsJSON: logFormat == .json)
  }
}

enum LogFormat: String, ExpressibleByArgument, CaseIterable {
  case text, json
}

/// How the command line makes a path of an argument.
func path(_ argument: String) -> FilePath { FilePath(argument) }
