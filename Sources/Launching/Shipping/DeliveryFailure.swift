/// Why something could not be copied to a host, and what to do.
public struct DeliveryFailure: Error, Hashable, Sendable, CustomStringConvertible {
  enum Reason: Hashable {
    case told(ReceiverAnswer.Failure)
    case ended(WorkerProcess.Ending)
    case silent(seconds: Int)
    /// A file of this machine.
    case unreadable(String)
    case misunderstood
  }

  let reason: Reason
  /// The last that the host or ssh said besides; empty: nothing.
  let lastLine: String

  /// Whether what was there before did not fit what was sent: it is gone now, and a second attempt
  /// begins anew.
  var isDamage: Bool { if case .told(.damaged) = reason { true } else { false } }

  public var description: String {
    switch reason {
    case .told(let failure): text(failure)
    case .ended(.exited(code: 255)): "ssh ended\(quotation) before the copy was complete: \(again)"
    case .ended(let ending):
      "the copy ended early (\(ending))\(quotation): look whether `ssh HOST sh -c true` works"
    case .silent(let seconds):
      "the copy did not move for \(seconds) s: look at the host's disk and network; \(again)"
    case .unreadable(let path): "\(path) here cannot be read to its end: it has changed meanwhile"
    case .misunderstood: "the host asked for what there is not\(quotation): \(again)"
    }
  }

  private let again = "start again, what has arrived is kept"

  private func text(_ failure: ReceiverAnswer.Failure) -> String {
    switch failure {
    case .machine(let machine):
      "it is a \(machine), which this bundle is not for: install flap-worker for it there and name "
        + "it with worker=/path"
    case .tool(let tool): "\(tool) is missing there, which the copy needs: install it"
    case .folder(let path):
      "\(path) cannot be written there: make it writable or name another place, for flap-worker "
        + "with env.XDG_CACHE_HOME=/path, for the model with model=/path"
    case .noExecution(let path):
      "nothing can be run from \(path) there (mounted noexec?): name another place with "
        + "env.XDG_CACHE_HOME=/path, or install flap-worker there and name it with worker=/path"
    case .room(let freeKiB, let neededKiB, let folder):
      DeliveryFailure.noRoom(
        freeBytes: freeKiB &* 1024, neededBytes: neededKiB &* 1024, folder: folder,
        remedy: "env.XDG_CACHE_HOME=/path")
    case .write(let path): "\(path) cannot be written there\(quotation): look for room on its disk"
    case .short(let path): "\(path) did not arrive whole: \(again)"
    case .damaged(let path):
      "\(path) was other than sent, twice: check the files here and the memory of the host"
    case .run(let said):
      "the copied flap-worker does not run there (\(said)): install flap-worker there and name it "
        + "with worker=/path"
    }
  }

  /// - Parameter remedy: how another place is named.
  public static func noRoom(
    freeBytes: Int, neededBytes: Int, folder: String, remedy: String
  ) -> String {
    func megabytes(_ count: Int) -> Int { (count + 999_999) / 1_000_000 }
    return "\(folder) there has \(megabytes(freeBytes)) MB free, \(megabytes(neededBytes)) MB are "
      + "needed: make room or name another place with \(remedy)"
  }

  private var quotation: String { lastLine.isEmpty ? "" : " (\(lastLine))" }
}
