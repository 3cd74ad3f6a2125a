import Launching
import Testing

struct SlurmTests {
  private let environment = [
    "SLURM_JOB_ID": "42", "SLURM_JOB_NODELIST": "node[01-03],gpu1", "SLURM_JOB_NUM_NODES": "4",
    "SLURM_NTASKS": "32",
  ]
  private let worker = WorkerCommandLine(program: "/opt/flap-worker", modelDirectory: "/my models")

  @Test(
    "node lists",
    arguments: [
      ("node1", ["node1"]),
      ("node[01-03,7],gpu1", ["node01", "node02", "node03", "node7", "gpu1"]),
      ("a,b,c[1-2]", ["a", "b", "c1", "c2"]),
      ("r[1-2]n[1,3]", ["r1n1", "r1n3", "r2n1", "r2n3"]),
    ])
  func nodeList(text: String, names: [String]) throws {
    #expect(try SlurmNodeList(text).names == names)
  }

  @Test(
    "malformed node lists",
    arguments: [
      ("", .badPart("")), ("a,", .badPart("")), (",a", .badPart("")), ("a b", .badPart("a b")),
      ("a[1", .unbalancedBracket), ("a1]", .unbalancedBracket), ("a[1]]", .unbalancedBracket),
      ("a[2-1]", .reversed("2-1")), ("a[00x33]", .badPart("00x33")), ("a[1-99999]", .tooMany),
      ("a[1-65536],b", .tooMany),
      (String(repeating: "a,", count: 1 << 20), .tooLong(limit: 1 << 20)),
    ] as [(String, HostRangeError)])
  func badNodeList(text: String, reason: HostRangeError) {
    let error = #expect(throws: SlurmError.self) { try SlurmNodeList(text) }
    guard case .badNodeList(_, let found) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(found == reason)
    #expect(error!.description.utf8.count < 300)
  }

  @Test("one worker on each node, the ticket over standard input")
  func command() throws {
    let allocation = try SlurmAllocation(environment: environment)
    #expect(allocation.nodeNames == ["node01", "node02", "node03", "gpu1"])
    let command = SlurmCommand(allocation: allocation)
      .launchCommand(worker: worker, standardInput: [7])
    #expect(
      command
        == LaunchCommand(
          label: "slurm job 42", executable: "srun",
          arguments: [
            "--nodes=4", "--ntasks=4", "--ntasks-per-node=1", "--kill-on-bad-exit=0", "--wait=0",
            "--input=all", "--output=all", "--label", "/opt/flap-worker", "--connect-file", "-",
            "--model", "/my models",
          ], standardInput: [7]))
  }

  @Test("a connect file on a shared folder, the job's cores, more options")
  func sharedFile() throws {
    let more = environment.merging(["SLURM_CPUS_PER_TASK": "16"]) { $1 }
    let command = SlurmCommand(
      allocation: try SlurmAllocation(environment: more), connectFile: "/shared/connect",
      options: ["--overlap"], program: "/usr/bin/srun"
    ).launchCommand(worker: worker, standardInput: [])
    #expect(command.executable == "/usr/bin/srun")
    #expect(
      command.arguments.dropFirst(8) == [
        "--cpus-per-task=16", "--overlap", "/opt/flap-worker", "--connect-file",
        "/shared/connect", "--model", "/my models",
      ])
  }

  @Test(
    "surroundings that are no allocation",
    arguments: [
      (["SLURM_JOB_ID": ""], .noAllocation),
      (["SLURM_JOB_NODELIST": ""], .noAllocation),
      (["SLURM_JOB_NUM_NODES": "x"], .badVariable(name: "SLURM_JOB_NUM_NODES", value: "x")),
      (["SLURM_CPUS_PER_TASK": "0"], .badVariable(name: "SLURM_CPUS_PER_TASK", value: "0")),
      (["SLURM_JOB_NUM_NODES": "5"], .nodeCount(variable: 5, list: 4)),
      (["SLURM_JOB_NODELIST": "a["], .badNodeList("a[", .unbalancedBracket)),
    ] as [([String: String], SlurmError)])
  func badEnvironment(changes: [String: String], error: SlurmError) {
    #expect(throws: error) {
      try SlurmAllocation(environment: environment.merging(changes) { $1 })
    }
  }

  @Test("outside of an allocation one line says so")
  func outside() {
    let error = #expect(throws: SlurmError.self) { try SlurmAllocation(environment: [:]) }
    #expect(error?.description.contains("SLURM_JOB_ID") == true)
    #expect(error?.description.contains("sbatch or salloc") == true)
  }
}
