internal import CBinding
public import FlapCore
internal import Glibc
public import SystemPackage

extension Host {
  /// CPUs that this process may use (sched_setaffinity(2), cpuset(7)).
  public static var allowedCPUs: CPUList {
    firstLine(of: "/proc/self/status", beginning: "Cpus_allowed_list:").flatMap { CPUList($0) }
      ?? CPUList(0..<sysconf(Int32(_SC_NPROCESSORS_ONLN)))
  }

  /// Memory nodes that have memory and CPUs for this process; none where the kernel tells of none.
  ///
  /// - Parameter folder: where the kernel tells.
  public static func memoryNodes(
    in folder: FilePath = "/sys/devices/system/node", allowed: CPUList = allowedCPUs,
    allowedNodes: CPUList? = allowedMemoryNodes
  ) -> [MemoryNode] {
    let online = firstLine(of: folder.appending("online").string, beginning: "")
    let numbers = online.flatMap { CPUList($0) } ?? CPUList([])
    return (allowedNodes.map(numbers.intersection) ?? numbers).numbers.compactMap { number in
      let node = folder.appending("node\(number)")
      return MemoryNode(
        number: number,
        cpuList: firstLine(of: node.appending("cpulist").string, beginning: ""),
        memory: firstLine(
          of: node.appending("meminfo").string, beginning: "Node \(number) MemTotal:"),
        allowed: allowed)
    }
  }

  /// Nodes on which this process may have memory; nil where the kernel does not say.
  public static var allowedMemoryNodes: CPUList? {
    firstLine(of: "/proc/self/status", beginning: "Mems_allowed_list:").flatMap { CPUList($0) }
  }

  /// Keeps this process on the CPUs of a memory node and has it take its memory there, as long as
  /// there is some: to be called before its threads are started, which inherit both.
  ///
  /// The node is preferred (`MPOL_PREFERRED`), not demanded: the policy also says where the page
  /// cache puts the weights that this process is the first to read, and a model may be larger than
  /// one node. What is private fits by far and lies where it was asked for.
  ///
  /// - Throws: ``BindingError``.
  public static func bind(toMemoryNode number: Int) throws(BindingError) {
    let nodes = memoryNodes()
    guard let node = nodes.first(where: { $0.number == number }) else {
      let known = nodes.map { "\($0.number) (CPUs \($0.cpus))" }.joined(separator: ", ")
      throw BindingError(
        description: "--memory-node \(number): no such node with CPUs for this process; there "
          + (known.isEmpty ? "are none" : "is \(known)"))
    }
    var bits = [UInt64](repeating: 0, count: CPUList.limit / 64)
    for cpu in node.cpus.numbers { bits[cpu / 64] |= 1 << UInt64(cpu % 64) }
    guard flap_keep_to_cpus(bits, bits.count) == 0 else {
      throw BindingError(
        description: "--memory-node \(number): cannot keep to CPUs \(node.cpus): "
          + String(cString: strerror(errno)))
    }
    // Containers often forbid it; then the kernel's own rule holds, which is the CPU's own node.
    _ = flap_prefer_memory_node(Int32(number))
  }
}

/// Why a process cannot keep to a memory node.
public struct BindingError: Error, Hashable, Sendable, CustomStringConvertible {
  public let description: String
}
