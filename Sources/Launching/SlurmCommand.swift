/// Starts one worker on each node of a Slurm allocation, all through one srun.
///
/// srun hands its standard input to every task (`--input=all`), and reads none of it before it is
/// connected to all nodes (step_io.c: `_file_readable`), so each worker gets the whole ticket and
/// sees the input close. Where a site's set-up keeps standard input from tasks, ``connectFile``
/// names a file that all nodes see and only its owner reads.
public struct SlurmCommand: Hashable, Sendable {
  public var allocation: SlurmAllocation
  /// nil: over standard input.
  public var connectFile: String?
  /// More options for srun; of an option that is given twice, srun takes the last: these win.
  public var options: [String]
  /// srun: a path, or a name that is found through PATH.
  public var program: String

  public init(
    allocation: SlurmAllocation, connectFile: String? = nil, options: [String] = [],
    program: String = "srun"
  ) {
    self.allocation = allocation
    self.connectFile = connectFile
    self.options = options
    self.program = program
  }

  /// - Parameter standardInput: what each worker reads first; with a ``connectFile`` usually none.
  public func launchCommand(worker: WorkerCommandLine, standardInput: [UInt8]) -> LaunchCommand {
    let count = allocation.nodeCount
    // Said in full, for srun also takes options from variables that sbatch leaves behind:
    // SLURM_NTASKS of a job with several tasks a node would start as many workers.
    var arguments = [
      "--nodes=\(count)", "--ntasks=\(count)", "--ntasks-per-node=1", "--kill-on-bad-exit=0",
      "--wait=0", "--input=all", "--output=all", "--label",
    ]
    // Since 22.05 srun does not take this over from sbatch: the workers would share one core each.
    if let cpus = allocation.cpusPerTask { arguments.append("--cpus-per-task=\(cpus)") }
    arguments += options + [worker.program]
    return LaunchCommand(
      label: "slurm job \(allocation.jobID)", executable: program,
      arguments: arguments + worker.arguments(connectFile: connectFile ?? "-"),
      standardInput: standardInput)
  }
}
