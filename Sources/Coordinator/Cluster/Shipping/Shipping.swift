internal import Checkpoint
internal import FlapCore
internal import Host
internal import Launching
internal import Logging
internal import Storage
internal import SystemPackage

/// Copies to the hosts of a hosts file what they lack: `flap-worker`, and the model where that was
/// asked for.
struct Shipping {
  private let options: ClusterOptions
  private let hosts: [HostEntry]
  private let ssh: SSHCommand
  private let checkpoint: Checkpoint
  /// nil: there is none, or it is not to be copied.
  private let bundle: WorkerBundle?
  /// Why there is no bundle to copy.
  private let obstacle: String?
  /// The path of a flap-worker that was copied, or found where it was copied before.
  private(set) var programs: [Fleet.Member: String] = [:]
  /// What could not be copied, one line each with the host.
  private(set) var failures: [Fleet.Member: String] = [:]
  private var modelsTried: Set<Fleet.Member> = []

  /// - Returns: nil where workers do not start over ssh.
  /// - Throws: ``UsageError`` when `--ship` asks for what is not there.
  init?(_ plan: ClusterPlan, _ checkpoint: Checkpoint) throws {
    guard case .ssh(let hosts) = plan.launcher else { return nil }
    self.hosts = hosts
    options = plan.options
    ssh = plan.ssh
    self.checkpoint = checkpoint
    do {
      bundle = try options.ships == false ? nil : WorkerBundle.ownFolder.map(WorkerBundle.init)
      obstacle =
        bundle == nil && options.ships != false
        ? "a flap-coord of a bundle (deploy/package.sh) copies it there itself" : nil
    } catch {
      guard options.ships == nil else { throw error }
      bundle = nil
      obstacle = "it cannot be copied there: \(error)"
    }
    if options.shipsModel, let host = hosts.first(where: { $0.namesModelOfHub }) {
      throw UsageError(
        "--ship-model copies into a folder, and line \(host.line) of \(options.hostsFile!) has "
          + "model=\(host.modelDirectory!): name a folder there with model=/path")
    }
    guard bundle != nil || options.ships != true else {
      throw UsageError(
        "--ship copies the flap-worker of a bundle, and this flap-coord is of none: make one with "
          + "deploy/package.sh and start its bin/flap-coord")
    }
  }

  /// For `--dry-run`: what would be copied where, if it is not there.
  var description: [String] {
    var lines: [String] = []
    if let bundle {
      let names = hosts.indices.filter(mayShip).map { hosts[$0].label }.joined(separator: ", ")
      if !names.isEmpty {
        lines.append(
          bundle.description + (options.ships == true ? ", to " : ", where it is missing, to ")
            + names)
      }
    }
    if options.shipsModel {
      let names = hosts.map { "\($0.label):\(folder(of: $0))" }.joined(separator: ", ")
      lines.append(
        "the model, \(Format.bytes(checkpoint.byteCount)), what is missing of it, to \(names)")
    }
    return lines
  }

  /// What a host could do about what it lacks, to be told with that.
  func advice(for member: Fleet.Member) -> (worker: String?, model: String?) {
    let worker = mayShip(to: member) || bundle == nil ? obstacle : "--ship copies it there"
    return (worker, options.shipsModel ? nil : "--ship-model copies what is missing")
  }

  /// With `--ship`: all hosts get the worker, whatever they have.
  mutating func shipToAll(_ console: Console, _ interruption: Interruption) throws {
    guard options.ships == true else { return }
    try shipWorker(to: Array(hosts.indices), console, interruption)
  }

  /// Copies what hosts were found to lack.
  ///
  /// - Returns: those to which something was copied: they are worth another look.
  mutating func mend(
    _ verdicts: [PreflightVerdict], _ console: Console, _ interruption: Interruption
  ) throws -> [Fleet.Member] {
    let withoutWorker = hosts.indices.filter {
      verdicts[$0].lacksWorker && mayShip(to: $0) && programs[$0] == nil && failures[$0] == nil
    }
    try shipWorker(to: withoutWorker, console, interruption)
    let withoutModel = hosts.indices.filter {
      options.shipsModel && verdicts[$0].lacksModel && !modelsTried.contains($0)
        && failures[$0] == nil
    }
    try shipModel(to: withoutModel, console, interruption)
    return (withoutWorker + withoutModel).filter { failures[$0] == nil }
  }

  /// Who names a program has installed it there.
  private func mayShip(to member: Fleet.Member) -> Bool {
    bundle != nil
      && (options.ships == true
        || options.workerProgram == nil && hosts[member].workerProgram == nil)
  }

  // MARK: The worker

  private mutating func shipWorker(
    to members: [Fleet.Member], _ console: Console, _ interruption: Interruption
  ) throws {
    guard let bundle, !members.isEmpty else { return }
    let consignments = members.map {
      Consignment.worker(
        bundle.manifest, identity: bundle.identity, bundle: bundle.folder.string, to: hosts[$0],
        over: ssh)
    }
    let outcomes = try Transfer(console, interruption).carry(consignments, as: "flap-worker")
    for (member, outcome) in zip(members, outcomes) {
      switch outcome {
      case .done(let path, _, _): programs[member] = path + "/" + WorkerManifest.program
      case .failed(let failure): note(failure, of: "flap-worker", member)
      }
    }
  }

  private mutating func note(_ failure: DeliveryFailure, of what: String, _ member: Fleet.Member) {
    guard failures[member] == nil else { return }
    failures[member] = "\(hosts[member].label): \(what) could not be copied there: \(failure)"
  }

  // MARK: The model

  private func folder(of host: HostEntry) -> String {
    host.modelDirectory ?? checkpoint.directory.absolute.string
  }

  private mutating func shipModel(
    to members: [Fleet.Member], _ console: Console, _ interruption: Interruption
  ) throws {
    guard !members.isEmpty else { return }
    modelsTried.formUnion(members)
    let transfer = Transfer(console, interruption)
    var files = try ModelFiles(checkpoint)
    let surveys = try transfer.carry(
      members.map {
        Consignment.survey(files.sizes, folder: folder(of: hosts[$0]), of: hosts[$0], over: ssh)
      }, as: nil)
    var receivers: [Fleet.Member] = []
    var consignments: [Consignment] = []
    for (member, outcome) in zip(members, surveys) {
      switch outcome {
      case .failed(let failure): note(failure, of: "the model", member)
      case .done(_, _, let survey):
        let folder = folder(of: hosts[member])
        do throws(ModelFiles.Obstacle) {
          let missing = try files.missing(survey, folder: folder)
          receivers += missing.map { _ in member }
          consignments += missing.map { file in
            Consignment.file(
              file.name, file.piece, digest: file.digest, adopts: file.isBegun, folder: folder,
              to: hosts[member], over: ssh)
          }
        } catch {
          failures[member] = "\(hosts[member].label): the model could not be copied there: \(error)"
        }
      }
    }
    let outcomes = try transfer.carry(consignments, as: "model")
    for case (let member, .failed(let failure)) in zip(receivers, outcomes) {
      note(failure, of: "the model", member)
    }
  }
}
