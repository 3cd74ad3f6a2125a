internal import CBenchmark
public import FlapCore
internal import Kernels

/// The CPU's multipliers on every thread, fed from registers: what nothing can exceed.
public struct PeakContestant: Contestant {
  private let compute: ComputeType
  private let team: ThreadTeam

  public init(compute: ComputeType, threadCount: Int) {
    self.compute = compute
    team = ThreadTeam(threadCount: threadCount)
  }

  public var details: [String: String] {
    ["unit": String(cString: flap_bench_unit(compute.format)), "threads": "\(team.threadCount)"]
  }

  public mutating func runUnit() throws -> Work {
    let tasksPerThread = 8
    let taskCount = tasksPerThread * team.threadCount
    var operations = [Double](repeating: 0, count: taskCount)
    operations.withUnsafeMutableBufferPointer { operations in
      let operations = operations.baseAddress!
      team.run(.products, taskCount: taskCount) { task, _ in
        operations[task] = flap_bench_peak(compute.format, 512)
      }
    }
    return Work(productOperations: operations.reduce(0, +))
  }
}
