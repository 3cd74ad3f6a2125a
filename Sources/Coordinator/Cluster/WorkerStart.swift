internal import Coordination
internal import FlapCore
internal import Launching
internal import Logging
internal import SystemPackage
internal import Transport

/// The commands that start the workers of a run, and the look at their hosts beforehand.
struct WorkerStart {
  private let plan: ClusterPlan
  private let model: FilePath
  private let modelDigest: Digest

  /// A host that does not answer within this time is not fit.
  private static let preflightLimit = Duration.seconds(60)

  init(_ plan: ClusterPlan, model: FilePath, digest: Digest) {
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
        LocalCommand.launchCommand(
          number: $0 + 1, worker: worker, standardInput: try ticket($0))
      }
    case .ssh(let hosts):
      let ssh = SSHCommand(
        options: plan.options.sshOptions, identityFile: plan.options.sshIdentity)
      return try hosts.enumerated().map { member, host in
        ssh.launchCommand(host: host, worker: worker, standardInput: try ticket(member))
      }
    case .slurm(let allocation):
      let slurm = SlurmCommand(allocation: allocation, options: plan.options.srunOptions)
      // One srun stands for many workers: whose it is does not say which of them ended.
      return [slurm.launchCommand(worker: worker, standardInput: try ticket(nil))]
    case .none: return []
    }
  }

  /// For `--dry-run`: what would be run, without the keys.
  var description: [String] {
    get throws {
      let worker = try workerCommandLine()
      switch plan.launcher {
      case .local, .none: return []
      case .ssh(let hosts):
        let ssh = SSHCommand(
          options: plan.options.sshOptions, identityFile: plan.options.sshIdentity)
        return hosts.map {
          "\(ssh.launchCommand(host: $0, worker: worker, standardInput: []))"
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

  /// Has every host look whether it could take part, all at once.
  ///
  /// - Throws: ``ClusterError/unfitHosts(_:)`` with all that is wrong, everywhere.
  func checkHosts(_ entrance: inout Entrance, _ interruption: Interruption, _ log: Logger) throws {
    let launcher: PreflightVerdict.Launcher
    let hostCount: Int
    switch plan.launcher {
    case .local, .none: return
    case .ssh: (launcher, hostCount) = (.ssh, 1)
    case .slurm(let allocation): (launcher, hostCount) = (.slurm, allocation.nodeCount)
    }
    var worker = try workerCommandLine()
    worker.isPreflight = true
    let commands = try commands(worker, &entrance)
    log.info("preflight: checking \(plan.workerCount) hosts")
    let outcomes = try run(commands, entrance, interruption)
    entrance.forgetProbes()
    let expectation = PreflightExpectation(
      protocolVersion: Hello.protocolVersion, modelDigest: modelDigest)
    let failures = zip(commands.indices, outcomes).flatMap { member, outcome in
      PreflightVerdict(
        label: commands[member].label, launcher: launcher,
        workerProgram: program(of: member, worker), ending: outcome.ending,
        outputLines: outcome.lines, expectation: expectation, hostCount: hostCount
      ).failures
    }
    guard failures.isEmpty else { throw ClusterError.unfitHosts(failures) }
  }

  private func program(of member: Int, _ worker: WorkerCommandLine) -> String {
    guard case .ssh(let hosts) = plan.launcher else { return worker.program }
    return worker.adjusted(to: hosts[member]).program
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
      if interruption.isRequested { throw ClusterError.interrupted }
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
