public import ArgumentParser
internal import FlapCore
internal import SystemPackage

/// How the workers of a run are started and spoken to.
public struct ClusterOptions: ParsableArguments, Sendable {
  @Option(
    name: .customLong("workers"),
    help: "The hosts file: one host per line; workers start there over ssh.",
    completion: .file(), transform: { FilePath($0) })
  var hostsFile: FilePath?

  /// nil: ssh with a hosts file, else local.
  @Option(help: "How workers start: local, ssh, slurm, or none (they join on their own).")
  var launcher: LauncherChoice?

  @Option(
    name: .customLong("local-workers"),
    help: "Worker processes on this machine (default: one for every four cores).")
  var localWorkerCount: Int?

  @Option(
    name: .customLong("threads"), help: "Threads of each worker (default: its machine's cores).")
  var threadsPerWorker: Int?

  @Option(
    help: """
      Keep workers of this machine and of --workers to a NUMA node each: auto (default; where a \
      host has several, each with four CPUs and a worker's memory), on, off; numa= of the hosts \
      file goes before.
      """)
  var numa = MemoryNodeChoice.auto

  @Option(help: "Path of flap-worker, here and on the hosts (default: beside this program).")
  var workerProgram: String?

  @Option(
    name: .customLong("ssh-option"), help: "An option for ssh, Name=value; may be given again.")
  var sshOptions: [String] = []

  @Option(help: "The private key for ssh.", completion: .file()) var sshIdentity: String?

  /// nil: to the hosts without a flap-worker of this version.
  @Flag(
    name: .customLong("ship"), inversion: .prefixedNo,
    help: """
      Copy flap-worker over ssh to every host, or to none (default: to hosts without this version, \
      from a bundle made by deploy/package.sh).
      """)
  var ships: Bool?

  @Flag(
    name: .customLong("ship-model"),
    help: "Copy the checkpoint over ssh to hosts that lack it, or what they lack of it.")
  var shipsModel = false

  @Option(
    name: .customLong("srun-option"), help: "An option for srun; may be given again.",
    completion: .file())
  var srunOptions: [String] = []

  /// nil: what the launcher needs.
  @Option(help: "Where to listen: an address or interface of this host, with or without :PORT.")
  var listen: String?

  @Option(
    help: "Write the ticket with which any worker may join (only its owner can read it).",
    completion: .file(), transform: { FilePath($0) })
  var connectFile: FilePath?

  @Option(
    help: "Keys made by flap-coord keys (default: new ones for each run).", completion: .file(),
    transform: { FilePath($0) })
  var keyFile: FilePath?

  @Flag(
    name: .customLong("insecure"),
    help: "No encryption and no keys: anybody who reaches the port can take part.")
  var isInsecure = false

  @Flag(
    name: .customLong("resume"),
    help: "Resume an unfinished run, or start one where there is none.")
  var resumes = false

  @Flag(
    name: .customLong("gather"),
    help: "Workers send their shards: for hosts without a shared file system.")
  var gathers = false

  @Option(
    name: .customLong("dead-after"),
    help: "Seconds without a heartbeat after which a worker counts as dead.")
  var deadAfterSeconds = 10

  @Option(
    name: .customLong("hung-after"),
    help: "Seconds without progress after which a worker counts as hung.")
  var hungAfterSeconds = 25

  @Option(
    name: .customLong("join-timeout"), help: "Seconds that a run waits while no worker is there.")
  var joinLimitSeconds = 600

  @Flag(
    name: .customLong("strict"),
    help: "End the run when workers compute with different kernels or different bits.")
  var isStrict = false

  @Option(help: "Serve Prometheus metrics at http://ADDRESS:PORT/metrics.") var metrics: String?

  public init() {}

  public func validate() throws {
    try check("--local-workers", localWorkerCount ?? 1, 1...Limits.localWorkerCount)
    try check("--threads", threadsPerWorker ?? 1, 1...Limits.threadCount)
    try check("--dead-after", deadAfterSeconds, 2...Limits.waitSeconds, of: " seconds")
    try check("--hung-after", hungAfterSeconds, 2...Limits.waitSeconds, of: " seconds")
    try check("--join-timeout", joinLimitSeconds, 1...Limits.waitSeconds, of: " seconds")
  }

  private func check(
    _ option: String, _ value: Int, _ range: ClosedRange<Int>, of unit: String = ""
  ) throws {
    guard range.contains(value) else {
      throw ValidationError(
        "\(option) \(value): give \(range.lowerBound) to \(range.upperBound)\(unit)")
    }
  }
}

/// How workers are started.
public enum LauncherChoice: String, ExpressibleByArgument, Sendable, CaseIterable {
  /// Processes of this machine.
  case local
  /// On the hosts of a hosts file, through the system's OpenSSH client.
  case ssh
  /// On the nodes of the Slurm allocation that this program runs in.
  case slurm
  /// Not at all: they join on their own.
  case none
}

/// Whether workers keep to a memory node each.
public enum MemoryNodeChoice: String, ExpressibleByArgument, Sendable, CaseIterable {
  /// On where a host has several that suit workers.
  case auto
  case on
  case off
}
