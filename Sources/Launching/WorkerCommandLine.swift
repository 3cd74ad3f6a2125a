/// How `flap-worker` is called.
///
/// What it needs to connect comes over its standard input or from a file that only its owner
/// reads: an argument or a variable could be read by other users of the machine.
public struct WorkerCommandLine: Hashable, Sendable {
  /// `flap-worker` on the host: an absolute path, or a name that is found through PATH there.
  public var program: String
  /// The checkpoint's folder on the host, or its name on the hub.
  public var modelDirectory: String
  /// nil for the worker's own choice.
  public var threadCount: Int?
  /// Leaves computed side by side; nil for the worker's own choice.
  public var laneCount: Int?
  /// Only look whether the worker could run (``PreflightReport``).
  public var isPreflight: Bool
  /// The NUMA node that the worker keeps to; nil: none.
  public var memoryNode: Int?
  /// After all others.
  public var extraArguments: [String]

  public init(
    program: String, modelDirectory: String, threadCount: Int? = nil, laneCount: Int? = nil,
    isPreflight: Bool = false, extraArguments: [String] = []
  ) {
    self.program = program
    self.modelDirectory = modelDirectory
    self.threadCount = threadCount
    self.laneCount = laneCount
    self.isPreflight = isPreflight
    self.extraArguments = extraArguments
  }

  /// - Parameter connectFile: on the host; `-` for standard input.
  public func arguments(connectFile: String = "-") -> [String] {
    var arguments = ["--connect-file", connectFile, "--model", modelDirectory]
    if let threadCount { arguments += ["--threads", String(threadCount)] }
    if let laneCount { arguments += ["--lanes", String(laneCount)] }
    if let memoryNode { arguments += ["--memory-node", String(memoryNode)] }
    if isPreflight { arguments.append("--preflight") }
    return arguments + extraArguments
  }

  /// What the host's line says goes before what holds for all hosts.
  public func adjusted(to host: HostEntry) -> WorkerCommandLine {
    var adjusted = self
    adjusted.program = host.workerProgram ?? program
    adjusted.modelDirectory = host.modelDirectory ?? modelDirectory
    adjusted.threadCount = host.threads ?? threadCount
    adjusted.laneCount = host.lanes
    return adjusted
  }
}
