internal import Glibc

/// Starts workers of this machine.
public enum LocalCommand {
  /// The worker program that lies beside the program that runs now.
  public static var defaultProgram: String? {
    var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
    let count = readlink("/proc/self/exe", &buffer, buffer.count - 1)
    guard count > 0 else { return nil }
    let path = String(decoding: buffer.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    guard let slash = path.lastIndex(of: "/") else { return nil }
    return path[...slash] + "flap-worker"
  }

  /// - Parameter number: from 1.
  public static func launchCommand(
    number: Int, worker: WorkerCommandLine, standardInput: [UInt8]
  ) -> LaunchCommand {
    LaunchCommand(
      label: "worker \(number)", executable: worker.program, arguments: worker.arguments(),
      standardInput: standardInput)
  }
}
