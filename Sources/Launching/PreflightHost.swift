internal import FlapCore

/// What is known of a host whose preflight failed before or after its report.
struct PreflightHost {
  let launcher: PreflightVerdict.Launcher
  let workerProgram: String
  /// Made fit to be shown; empty when nothing was printed.
  let lastLine: String
  let outputLines: [String]
  /// What else helps where there is no flap-worker.
  let advice: String?

  /// What is wrong and what to do.
  func reason(for ending: PreflightVerdict.Ending) -> String {
    switch ending {
    case .timedOut(let seconds):
      "no answer within \(seconds) s\(quotation): check that the host is up and not overloaded"
        + (launcher == .ssh ? ", and that ssh reaches it" : "")
    case .killed(let signal):
      "the preflight was killed by signal \(signal)\(quotation): check the memory of the host"
    case .exited(code: 0):
      "the program there printed no report\(quotation): name a flap-worker of this version with "
        + "worker=/path, and let no start-up file of the shell end or replace it"
    case .exited(code: 255) where launcher == .ssh: sshReason
    case .exited(code: 127): missing
    case .exited(code: 126):
      "\(program) cannot be run there\(quotation): make it executable (chmod +x) or name another "
        + "with worker=/path"
    // srun, where slurmstepd could not run the program.
    case .exited where launcher == .slurm && said("execve():"): missing
    case .exited(code: 64):
      "\(program) there does not know the options of this version\(quotation): install the same "
        + "version there or name it with worker=/path"
    case .exited(let code):
      "the preflight exited with code \(code)\(quotation): run \(program) --help there by hand"
    }
  }

  /// Whether there is no program, or one that does not know what it is asked for.
  func lacksWorker(after ending: PreflightVerdict.Ending) -> Bool {
    switch ending {
    case .exited(code: 126), .exited(code: 127), .exited(code: 64), .exited(code: 0): true
    default: false
    }
  }

  private var missing: String {
    "\(program) is missing there\(quotation): install flap-worker there or name it with "
      + "worker=/path" + PreflightExpectation.appended(advice)
  }

  /// The client's own failures (ssh(1): 255 if an error occurred).
  private var sshReason: String {
    if said("REMOTE HOST IDENTIFICATION HAS CHANGED") {
      return "its host key has changed, which may be an attack: find out why; "
        + "only then remove the old key with ssh-keygen -R"
    }
    if said("Host key verification failed") {
      return "its host key is not known here: connect once by hand with ssh and confirm it, "
        + "or add it to known_hosts"
    }
    if said("Permission denied") {
      return "ssh was refused\(quotation): put your public key there with ssh-copy-id, or set "
        + "User and IdentityFile in ~/.ssh/config"
    }
    return "ssh could not connect\(quotation): check the host's name and port, that it is up, and "
      + "that `host:4` is meant as a port; lanes are lanes=4"
  }

  private var program: String { PlainText.line(workerProgram) }

  private var quotation: String { lastLine.isEmpty ? "" : " (\(lastLine))" }

  private func said(_ phrase: String) -> Bool { outputLines.contains { $0.contains(phrase) } }
}
