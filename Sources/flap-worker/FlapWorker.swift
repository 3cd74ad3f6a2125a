import ArgumentParser
import Logging
import SystemPackage
import Transport
import Worker

/// Computes for a `flap-coord`, which starts it or whose ticket it is given.
@main
struct FlapWorker: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "flap-worker",
    abstract: "Compute for a flap-coord.",
    discussion: """
      flap-coord starts the workers of this machine, of a hosts file and of a
      Slurm allocation itself. By hand, with the file that flap-coord wrote:

        flap-worker --connect-file FILE --model DIR

      A run that is interrupted may go on under another flap-coord: the worker
      waits ten minutes for it, and reads FILE again. SIGTERM and Ctrl-C make it
      give its task back and leave.

      Exit codes: 0, the run is done; 1, no coordinator came, or something was
      missing that may come (restart it); 3, it would be refused again; 4, it
      was asked to leave.
      """,
    version: WorkerProgram.version)

  @Option(
    help: """
      The ticket that flap-coord wrote; - reads it from standard input and ends when that closes.
      """)
  var connectFile: String?

  @Option(help: "The endpoint of a flap-coord --insecure, such as tcp://10.0.0.1:40001.")
  var connect: String?

  @Option(
    help: """
      The checkpoint's folder on this machine; or OWNER/NAME, to be found in its Hugging Face cache.
      """)
  var model: String

  @Option(
    name: [.customLong("lanes"), .customLong("slots")],
    help: """
      Parts of a block computed side by side, each with its share of the threads (default: what \
      suits the model); --slots is the older spelling.
      """)
  var lanes: Int?

  @Option(help: "Threads that compute, of all lanes together (default: the cores).")
  var threads: Int?

  @Option(help: "Keep to the CPUs and the memory of this NUMA node, as numactl -H numbers them.")
  var memoryNode: Int?

  @Flag(help: "End when standard input closes.")
  var watchStdin = false

  @Flag(help: "Check whether a worker can run here, print a report, and exit.")
  var preflight = false

  func validate() throws {
    try WorkerProgram.checkArguments()
    guard (1...WorkerProgram.threadLimit).contains(lanes ?? 1) else {
      throw ValidationError("--lanes is 1 to \(WorkerProgram.threadLimit)")
    }
    guard (1...WorkerProgram.threadLimit).contains(threads ?? 1) else {
      throw ValidationError("--threads is 1 to \(WorkerProgram.threadLimit)")
    }
    guard (connect == nil) != (connectFile == nil) else {
      throw ValidationError("give --connect-file, or --connect for a flap-coord --insecure")
    }
  }

  func run() throws {
    do {
      // Before any thread is started: they inherit it.
      if let memoryNode { try WorkerProgram.bind(toMemoryNode: memoryNode) }
      let options = WorkerOptions(
        ticket: try ticketSource(), modelDirectory: FilePath(model), laneCount: lanes,
        threadCount: threads ?? WorkerProgram.defaultThreadCount,
        watchesStandardInput: watchStdin || connectFile == "-")
      guard !preflight else { return WorkerProgram.preflight(options) }
      try WorkerProgram.run(options, log: Logger(label: "flap-worker"))
    } catch {
      _ = try? FileDescriptor.standardError.writeAll("flap-worker: \(error)\n".utf8)
      throw ExitCode(WorkerEnded(error).remedy.rawValue)
    }
  }

  private func ticketSource() throws -> TicketSource {
    if let connect {
      return .given(try ConnectionTicket(endpoint: connect, run: "any", keys: nil))
    }
    return connectFile == "-"
      ? .given(try TicketReader.readStandardInput()) : .file(FilePath(connectFile!))
  }
}
