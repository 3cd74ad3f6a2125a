/// Memory of a host that some of its CPUs reach faster than the others do: a NUMA node (numa(7)).
public struct MemoryNode: Codable, Hashable, Sendable {
  public let number: Int
  /// Those that the program may use.
  public let cpus: CPUList
  public let memoryBytes: Int

  public init(number: Int, cpus: CPUList, memoryBytes: Int) {
    self.number = number
    self.cpus = cpus
    self.memoryBytes = memoryBytes
  }

  /// - Parameters:
  ///   - cpuList: what `nodeN/cpulist` holds.
  ///   - memory: what follows `MemTotal:` in `nodeN/meminfo`: `19621664 kB`.
  ///   - allowed: CPUs that the program may use.
  /// - Returns: nil for a node without such CPUs, or without memory.
  public init?(number: Int, cpuList: String?, memory: String?, allowed: CPUList) {
    guard let cpus = cpuList.flatMap({ CPUList($0) })?.intersection(allowed), !cpus.isEmpty,
      let words = memory?.split(separator: " "), words.count == 2, words[1] == "kB",
      let kilobytes = Int(words[0]), kilobytes > 0, kilobytes <= Int.max >> 10
    else { return nil }
    self.init(number: number, cpus: cpus, memoryBytes: kilobytes << 10)
  }

  /// Whether a worker of its own is worth while on each of these nodes.
  ///
  /// - Parameters:
  ///   - cores: fewer are not worth a worker.
  ///   - bytes: that a worker needs besides the mapped weights; nil where nobody knows.
  public static func suitWorkers(_ nodes: [MemoryNode], cores: Int, bytes: Int?) -> Bool {
    nodes.count > 1
      && nodes.allSatisfy { $0.cpus.count >= cores && $0.memoryBytes >= bytes ?? 0 }
  }
}
