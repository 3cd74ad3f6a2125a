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
    if options.isInsecure, options.keyFile != nil {
      throw UsageError("--key-file and --insecure exclude each other")
    }
    var warnings: [String] = []
    switch choice {
    case .local:
      let count = max(1, Host.coreCount / ClusterPlan.coresPerWorker)
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
    return max(1, Host.coreCount / count)
  }

  /// Of the worker that needs most; where workers choose their threads, as many as this machine
  /// has cores.
  func workerMemory(of pass: SampledPass) -> WorkerMemory {
    if case .ssh(let hosts) = launcher, let largest = hosts.map({ memory(of: pass, on: $0) }).max()
    {
      return largest
    }
    return WorkerMemory(pass, threadCount: threadCount ?? Host.coreCount)
  }

  private func memory(of pass: SampledPass, on host: HostEntry) -> WorkerMemory {
    WorkerMemory(
      pass, threadCount: host.threads ?? threadCount ?? Host.coreCount, laneCount: host.lanes)
  }

  /// - Throws: ``UsageError`` for a host whose `memory=` a worker would exceed.
  func checkMemory(of pass: SampledPass) throws {
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
    case .local(let count): "\(count) × \(threadCount!) threads on this machine"
    case .ssh(let hosts):
      "\(hosts.count) hosts over ssh: "
        + hosts.map { $0.label + ($0.lanes.map { " (\($0) lanes)" } ?? "") }
        .joined(separator: ", ")
    case .slurm(let allocation):
      "\(allocation.nodeCount) nodes of Slurm job \(allocation.jobID): "
        + allocation.nodeNames.joined(separator: ", ")
    case .none: "any that join"
    }
  }
}
