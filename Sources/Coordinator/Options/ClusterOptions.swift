internal import Host
public import SystemPackage

/// How the workers of a run are started and spoken to.
public struct ClusterOptions: Sendable {
  /// Workers on this machine; nil: as many as suit its cores.
  public var localWorkerCount: Int?
  /// Threads of each worker; nil: the machine's cores shared among its workers.
  public var threadsPerWorker: Int?
  /// The program to start; nil: `flap-worker` beside this program.
  public var workerProgram: FilePath?
  /// A worker that is silent for this long is dead.
  public var deadAfter: Duration = .seconds(10)
  /// Different bits from two workers end the run.
  public var isStrict = false

  public init() {}

  /// Cores for which one worker is enough: more threads than this wait for one another too often.
  static let coresPerWorker = 4

  var workerCount: Int {
    localWorkerCount ?? max(1, Host.coreCount / ClusterOptions.coresPerWorker)
  }

  var threadCount: Int { threadsPerWorker ?? max(1, Host.coreCount / workerCount) }
}
