internal import Coordination
internal import FlapCore
internal import Host
internal import Launching
internal import Logging
internal import SystemPackage
internal import Transport

/// The commands that start the workers of a run, and the look at their hosts beforehand.
struct WorkerStart {
  private let plan: ClusterPlan
  private let model: FilePath
  private let modelDigest: Digest
  /// That a worker needs besides the mapped weights; nil where nobody knows.
  private let workerBytes: Int?
  /// Of each host of the hosts file the memory nodes that have a worker each, as the preflight has
  /// found them; none where one worker has the host.
  private var hostNodes: [[MemoryNode]] = []
  /// Where flap-worker lies on hosts to which it was copied.
  private var shippedPrograms: [Fleet.Member: String] = [:]

  /// A host that does not answer within this time is not fit.
  private static let preflightLimit = Duration.seconds(60)

  init(_ plan: ClusterPlan, model: FilePath, digest: Digest, workerBytes: Int? = nil) {
    self.workerBytes = workerBytes
    self.plan = plan
    self.model = model
    modelDigest = digest
  }

  /// One command per process to start.
  func commands(_ entrance: inout Entrance) throws -> [LaunchCommand] {
    try commands(try workerCommandLine(), &entrance)
  }

  private func commands(_ worker: WorkerCommandLine, _ entrance: inout Entrance) throws
    -> [LaunchCommand]
  {
    func ticket(_ member: Fleet.Member?) throws -> [UInt8] {
      Array(try entrance.ticket(for: member).text.utf8)
    }
    switch plan.launcher {
    case .local(let count):
      return try (0..<count).map {
        var worker = worker
        worker.memoryNode = plan.memoryNode(ofLocal: $0)?.number
        return LocalCommand.launchCommand(
          number: $0 + 1, worker: worker, standardInput: try ticket($0))
      }
    case .ssh:
      return try places(for: worker).enumerated().map { member, place in
        var command = plan.ssh.launchCommand(
          host: place.host, worker: place.worker, standardInput: try ticket(member))
        if let node = place.worker.memoryNode { command.label += "-node\(node)" }
        return command
      }
    case .slurm(let allocation):
      let slurm = SlurmCommand(allocation: allocation, options: plan.options.srunOptions)
      // One srun stands for many workers: whose it is does not say which of them ended.
      return [slurm.launchCommand(worker: worker, standardInput: try ticket(nil))]
    case .none: return []
    }
  }

  /// One worker for each memory node that is to have one, else one for the host.
  private func places(for worker: WorkerCommandLine)
    -> [(host: HostEntry, worker: WorkerCommandLine)]
  {
    hosts.enumerated().flatMap { index, host in
      let nodes = worker.isPreflight || hostNodes.isEmpty ? [] : hostNodes[index]
      guard !nodes.isEmpty else { return [(host, worker)] }
      return nodes.map { node in
        var host = host
        var worker = worker
        worker.memoryNode = node.number
        // The line's are of all workers there.
        host.threads = host.threads.map { max(1, $0 / nodes.count) }
        return (host, worker)
      }
    }
  }

  /// - Parameter report: what the host has told of itself.
  private func nodes(of host: HostEntry, _ report: PreflightReport?) -> [MemoryNode] {
    let choice = host.usesMemoryNodes.map { $0 ? MemoryNodeChoice.on : .off } ?? plan.options.numa
    guard let report else { return [] }
    let nodes = ClusterPlan.nodes(
      report.memoryNodes ?? [], choice, coreCount: report.coreCount, workerBytes: workerBytes)
    // memory= is of all workers there.
    guard let limit = host.memoryBytes, let workerBytes else { return nodes }
    return nodes.count * workerBytes <= limit ? nodes : []
  }

  /// Those of a hosts file, as they are now.
  private var hosts: [HostEntry] {
    guard case .ssh(var hosts) = plan.launcher else { return [] }
    for (member, program) in shippedPrograms { hosts[member].workerProgram = program }
    return hosts
  }

  /// For `--dry-run`: what would be run, without the keys.
  var description: [String] {
    get throws {
      let worker = try workerCommandLine()
      switch plan.launcher {
      case .local, .none: return []
      case .ssh:
        return hosts.map {
          "\(plan.ssh.launchCommand(host: $0, worker: worker, standardInput: []))"
        }
      case .slurm(let allocation):
        let slurm = SlurmCommand(allocation: allocation, options: plan.options.srunOptions)
        return ["\(slurm.launchCommand(worker: worker, standardInput: []))"]
      }
    }
  }

  private func workerCommandLine() throws -> WorkerCommandLine {
    guard let program = plan.options.workerProgram ?? LocalCommand.defaultProgram else {
      throw UsageError("cannot find flap-worker: name it with --worker-program")
    }
    return WorkerCommandLine(
      program: program, modelDirectory: model.absolute.string, threadCount: plan.threadCount)
  }

  // MARK: Preflight

  /// Has every host look whether it could take part, all at once, and copies what it lacks.
  ///
  /// - Parameter shipping: nil where nothing can be copied.
  /// - Throws: ``ClusterError/unfitHosts(_:)`` with all that is wrong, everywhere.
  mutating func checkHosts(
    _ entrance: inout Entrance, _ shipping: inout Shipping?, _ interruption: Interruption,
    _ console: Console
  ) throws {
    let launcher: PreflightVerdict.Launcher
    switch plan.launcher {
    case .local, .none: return
    case .ssh: launcher = .ssh
    case .slurm: launcher = .slurm
    }
    try shipping?.shipToAll(console, interruption)
    shippedPrograms = shipping?.programs ?? [:]
    console.log.info("preflight: checking \(plan.workerCount) hosts")
    var verdicts = try look(
      at: nil, launcher, &entrance, shipping, interruption)
    while let mended = try shipping?.mend(verdicts, console, interruption), !mended.isEmpty {
      shippedPrograms = shipping?.programs ?? [:]
      let again = try look(at: mended, launcher, &entrance, shipping, interruption)
      for (member, verdict) in zip(mended, again) { verdicts[member] = verdict }
    }
    let failures = verdicts.enumerated().flatMap { member, verdict in
      shipping?.failures[member].map { [$0] } ?? verdict.failures
    }
    guard failures.isEmpty else { throw ClusterError.unfitHosts(failures) }
    guard launcher == .ssh else { return }
    hostNodes = zip(hosts, verdicts).map { nodes(of: $0, $1.reports.last) }
    for (host, nodes) in zip(hosts, hostNodes) where !nodes.isEmpty {
      let list = nodes.map { "\($0.number) (CPUs \($0.cpus))" }.joined(separator: ", ")
      console.log.info("\(host.label): a worker on each memory node: \(list)")
    }
  }

  /// - Parameter members: nil: all.
  private func look(
    at members: [Fleet.Member]?, _ launcher: PreflightVerdict.Launcher,
    _ entrance: inout Entrance, _ shipping: Shipping?, _ interruption: Interruption
  ) throws -> [PreflightVerdict] {
    var worker = try workerCommandLine()
    worker.isPreflight = true
    let all = try commands(worker, &entrance)
    let members = members ?? Array(all.indices)
    let commands = members.map { all[$0] }
    let outcomes = try run(commands, entrance, interruption)
    entrance.forgetProbes()
    var hostCount = 1
    if case .slurm(let allocation) = plan.launcher { hostCount = allocation.nodeCount }
    return zip(members, zip(commands, outcomes)).map { member, look in
      let advice = shipping?.advice(for: member)
      return PreflightVerdict(
        label: look.0.label, launcher: launcher, workerProgram: program(of: member, worker),
        ending: look.1.ending, outputLines: look.1.lines,
        expectation: PreflightExpectation(
          protocolVersion: Hello.protocolVersion, modelDigest: modelDigest,
          workerAdvice: advice?.worker, modelAdvice: advice?.model),
        hostCount: hostCount)
    }
  }

  private func program(of member: Fleet.Member, _ worker: WorkerCommandLine) -> String {
    hosts.isEmpty ? worker.program : worker.adjusted(to: hosts[member]).program
  }

  private struct Outcome {
    var lines: [String] = []
    var ending: PreflightVerdict.Ending
  }

  private func run(
    _ commands: [LaunchCommand], _ entrance: borrowing Entrance, _ interruption: Interruption
  ) throws -> [Outcome] {
    let seconds = Int(WorkerStart.preflightLimit.components.seconds)
    var outcomes = commands.map { _ in Outcome(ending: .timedOut(seconds: seconds)) }
    var fleet = Fleet(commands, restartsPerMember: 0)
    try fleet.start()
    let deadline = ContinuousClock.now + WorkerStart.preflightLimit
    while fleet.runningCount > 0, ContinuousClock.now < deadline {
      try interruption.check()
      _ = try Poller.wait(
        for: entrance.socket, descriptors: fleet.descriptors, timeout: .milliseconds(50))
      for event in fleet.poll() {
        switch event {
        case .output(let member, let line): outcomes[member].lines.append(line)
        case .ended(let member, .exited(let code)): outcomes[member].ending = .exited(code: code)
        case .ended(let member, .killed(let signal)):
          outcomes[member].ending = .killed(signal: signal)
        case .restarted, .failed, .hopeless: break
        }
      }
    }
    return outcomes
  }
}
