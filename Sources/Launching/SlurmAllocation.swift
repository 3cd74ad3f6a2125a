internal import FlapCore

/// The nodes that Slurm lent to this job, as the environment of its programs tells.
public struct SlurmAllocation: Hashable, Sendable {
  public let jobID: String
  public let nodeNames: [String]
  /// What `sbatch --cpus-per-task` asked for; nil when it was not given.
  public let cpusPerTask: Int?

  /// - Parameter environment: of the process; SLURM_JOB_ID, SLURM_JOB_NODELIST,
  ///   SLURM_JOB_NUM_NODES and SLURM_CPUS_PER_TASK are read.
  public init(environment: [String: String]) throws(SlurmError) {
    guard let jobID = environment["SLURM_JOB_ID"], !jobID.isEmpty,
      let list = environment["SLURM_JOB_NODELIST"], !list.isEmpty
    else { throw .noAllocation }
    self.jobID = PlainText.line(jobID, limit: 60)
    nodeNames = try SlurmNodeList(list).names
    cpusPerTask = try SlurmAllocation.count("SLURM_CPUS_PER_TASK", environment)
    let count = try SlurmAllocation.count("SLURM_JOB_NUM_NODES", environment) ?? nodeNames.count
    guard count == nodeNames.count else {
      throw .nodeCount(variable: count, list: nodeNames.count)
    }
  }

  public var nodeCount: Int { nodeNames.count }

  private static func count(
    _ name: String, _ environment: [String: String]
  ) throws(SlurmError) -> Int? {
    guard let value = environment[name], !value.isEmpty else { return nil }
    guard let count = WholeNumber.parse(value.utf8), count > 0 else {
      throw .badVariable(name: name, value: PlainText.line(value, limit: 60))
    }
    return count
  }
}
