internal import FlapCore
internal import Foundation
internal import Host
internal import Launching
internal import Storage

/// Which workers a run starts: the options, checked and with their defaults resolved.
struct ClusterPlan {
  enum Launcher {
    case local(count: Int)
    case ssh([HostEntry])
    case slurm(SlurmAllocation)
    case none
  }

  let options: ClusterOptions
  let launcher: Launcher
  /// What is odd in the hosts file, though no error.
  let warnings: [String]
  /// To which the workers of this machine keep, in turns; empty: to none.
  let memoryNodes: [MemoryNode]

  /// Cores for which one worker is enough: more threads than this wait for one another too often.
  static let coresPerWorker = 4
  /// Assumed where nobody says how many will join.
  static let unknownWorkerCount = 8

  /// - Throws: what is wrong with the options or the hosts file.
  init(_ options: ClusterOptions) throws {
    self.options = options
    let choice = options.launcher ?? (options.hostsFile == nil ? .local : .ssh)
    if options.hostsFile != nil, choice != .ssh {
      throw UsageError("--workers goes with --launcher ssh, not \(choice.rawValue)")
    }
    if options.localWorkerCount != nil, choice != .local {
      throw UsageError("--local-workers goes with --launcher local, not \(choice.rawValue)")
    }
    if options.ships != nil || options.shipsModel, choice != .ssh {
      throw UsageError("--ship, --no-ship and --ship-model go with the hosts of --workers")
    }
    if options.numa == .on, choice == .slurm || choice == .none {
      throw UsageError(
        "--numa on goes with workers of this machine or of --workers; those that join by themselves "
          + "have --memory-node, and srun has --srun-option=--cpu-bind=ldoms")
    }
    if options.isInsecure, options.keyFile != nil {
      throw UsageError("--key-file and --insecure exclude each other")
    }
    var warnings: [String] = []
    var memoryNodes: [MemoryNode] = []
    switch choice {
    case .local:
      memoryNodes = ClusterPlan.nodes(
        Host.memoryNodes(), options.numa, coreCount: Host.coreCount, workerBytes: nil)
      // Fewer workers than nodes would leave some node without one.
      if options.numa == .auto, options.localWorkerCount ?? .max < memoryNodes.count {
        memoryNodes = []
      }
      let count = max(1, memoryNodes.count, Host.coreCount / ClusterPlan.coresPerWorker)
      launcher = .local(count: options.localWorkerCount ?? count)
    case .ssh:
      guard let path = options.hostsFile else {
        throw UsageError("--launcher ssh needs --workers HOSTS.txt")
      }
      let bytes = try SmallFile.read(path, limit: HostsFile.fileByteLimit + 1)
      do throws(HostsFileError) {
        let file = try HostsFile(bytes: bytes)
        launcher = .ssh(file.hosts)
        warnings = file.warnings
      } catch {
        throw UsageError("\(path): \(error)")
      }
    case .slurm:
      launcher = .slurm(try SlurmAllocation(environment: ProcessInfo.processInfo.environment))
    case .none: launcher = .none
    }
    self.warnings = warnings
    self.memoryNodes = memoryNodes
  }

  /// The nodes to which workers of a host are to keep; none where they are to keep to none.
  ///
  /// Each node's worker reads memory of its own only, and threads of one node need not wait for
  /// those of another. That this is faster is what is known of such machines; it was not measured
  /// with this program, so that by default every node has to suit a worker.
  ///
  /// - Parameter coreCount: cores of the host that may be used at once: a container's quota may be
  ///   less than the CPUs that it may choose from.
  static func nodes(
    _ nodes: [MemoryNode], _ choice: MemoryNodeChoice, coreCount: Int, workerBytes: Int?
  ) -> [MemoryNode] {
    switch choice {
    case .off: []
    case .on: nodes
    case .auto:
      coreCount >= nodes.count * coresPerWorker
        && MemoryNode.suitWorkers(nodes, cores: coresPerWorker, bytes: workerBytes) ? nodes : []
    }
  }

  /// To which the worker of this machine keeps.
  /// - Parameter number: of the worker, from 0.
  func memoryNode(ofLocal number: Int) -> MemoryNode? {
    memoryNodes.isEmpty ? nil : memoryNodes[number % memoryNodes.count]
  }

  /// Workers that are expected; others may join.
  var workerCount: Int {
    switch launcher {
    case .local(let count): count
    case .ssh(let hosts): hosts.count
    case .slurm(let allocation): allocation.nodeCount
    case .none: ClusterPlan.unknownWorkerCount
    }
  }

  var ssh: SSHCommand {
    SSHCommand(options: options.sshOptions, identityFile: options.sshIdentity)
  }

  var isLocal: Bool { if case .local = launcher { true } else { false } }

  /// Leaves that one worker is told to compute side by side, at the most.
  var lanesPerWorker: Int {
    if case .ssh(let hosts) = launcher { hosts.compactMap(\.lanes).max() ?? 1 } else { 1 }
  }

  /// Threads of each worker of this machine; nil elsewhere, where each worker knows its cores.
  var threadCount: Int? {
    if let count = options.threadsPerWorker { return count }
    guard case .local(let count) = launcher else { return nil }
    let share = memoryNodes.enumerated().map { index, node in
      node.cpus.count / max(1, (count - index + memoryNodes.count - 1) / memoryNodes.count)
    }.min()
    return max(1, min(share ?? .max, Host.coreCount / count))
  }

  /// Of the worker that needs most; where workers choose their threads, as many as this machine
  /// has cores.
  func workerMemory(of pass: any ForwardPass) -> WorkerMemory {
    if case .ssh(let hosts) = launcher, let largest = hosts.map({ memory(of: pass, on: $0) }).max()
    {
      return largest
    }
    return WorkerMemory(pass, threadCount: threadCount ?? Host.coreCount)
  }

  private func memory(of pass: any ForwardPass, on host: HostEntry) -> WorkerMemory {
    WorkerMemory(
      pass, threadCount: host.threads ?? threadCount ?? Host.coreCount, laneCount: host.lanes)
  }

  /// - Throws: ``UsageError`` for a host whose `memory=` a worker would exceed.
  func checkMemory(of pass: any ForwardPass) throws {
    guard case .ssh(let hosts) = launcher else { return }
    for host in hosts {
      guard let limit = host.memoryBytes else { continue }
      let needed = memory(of: pass, on: host).totalBytes
      guard needed > limit else { continue }
      throw UsageError(
        "\(host.label), line \(host.line) of \(options.hostsFile!): a worker takes "
          + "\(Format.bytes(needed)), more than memory=\(Format.bytes(limit)): use fewer threads "
          + "or lanes there or a smaller --leaves-per-unit")
    }
  }

  /// For people: "3 × 4 threads on this machine".
  var description: String {
    switch launcher {
    case .local(let count): "\(count) × \(threadCount!) threads on this machine" + nodesText(count)
    case .ssh(let hosts):
      "\(hosts.count) hosts over ssh: "
        + hosts.map { $0.label + ($0.lanes.map { " (\($0) lanes)" } ?? "") }
        .joined(separator: ", ")
        + (options.numa == .off && !hosts.contains { $0.usesMemoryNodes == true }
          ? "" : "; where the preflight finds several memory nodes, one worker on each")
    case .slurm(let allocation):
      "\(allocation.nodeCount) nodes of Slurm job \(allocation.jobID): "
        + allocation.nodeNames.joined(separator: ", ")
    case .none: "any that join"
    }
  }

  /// "; memory node 0 (CPUs 0-15, 62.8 GiB): 2".
  private func nodesText(_ count: Int) -> String {
    memoryNodes.enumerated().map { index, node in
      let workers = (count - index + memoryNodes.count - 1) / memoryNodes.count
      return "; on memory node \(node.number) (CPUs \(node.cpus), "
        + "\(Format.bytes(node.memoryBytes))) \(workers)"
    }.joined()
  }
}
