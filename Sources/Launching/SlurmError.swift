/// What is wrong with the Slurm allocation that this program runs in.
public enum SlurmError: Error, Hashable, Sendable {
  /// No SLURM_JOB_ID or no SLURM_JOB_NODELIST.
  case noAllocation
  case badNodeList(String, HostRangeError)
  case badVariable(name: String, value: String)
  case nodeCount(variable: Int, list: Int)
}

extension SlurmError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .noAllocation:
      "--launcher slurm works inside an allocation, and SLURM_JOB_ID and SLURM_JOB_NODELIST are "
        + "not both set: start flap-coord from sbatch or salloc"
    case .badNodeList(let list, let error):
      "SLURM_JOB_NODELIST `\(list)` cannot be read: \(error)"
    case .badVariable(let name, let value):
      "\(name) is `\(value)`, not a whole number above 0: leave the variables of Slurm as it sets them"
    case .nodeCount(let variable, let list):
      "SLURM_JOB_NUM_NODES says \(variable) nodes and SLURM_JOB_NODELIST names \(list): "
        + "leave the variables of Slurm as it sets them"
    }
  }
}
