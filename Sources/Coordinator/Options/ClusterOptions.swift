public import SystemPackage

/// How workers are started.
public enum LauncherChoice: String, Sendable, CaseIterable {
  /// Processes of this machine.
  case local
  /// On the hosts of a hosts file, through the system's OpenSSH client.
  case ssh
  /// On the nodes of the Slurm allocation that this program runs in.
  case slurm
  /// Not at all: they join on their own.
  case none
}

/// How the workers of a run are started and spoken to.
public struct ClusterOptions: Sendable {
  /// nil: ssh with a hosts file, else local.
  public var launcher: LauncherChoice?
  public var hostsFile: FilePath?
  /// Workers on this machine; nil: as many as suit its cores.
  public var localWorkerCount: Int?
  /// Threads of each worker; nil: its cores.
  public var threadsPerWorker: Int?
  /// The program to start; nil: `flap-worker` beside this program.
  public var workerProgram: String?
  public var sshOptions: [String] = []
  public var sshIdentity: String?
  public var srunOptions: [String] = []
  /// Address or interface, and port, to listen at; nil: what the launcher needs.
  public var listen: String?
  /// Where to write what workers need to join.
  public var connectFile: FilePath?
  /// Keys that were made beforehand; nil: keys for this run alone.
  public var keyFile: FilePath?
  /// Neither encryption nor keys.
  public var isInsecure = false
  /// Go on with what an unfinished run has left.
  public var resumes = false
  /// Workers send their shards instead of writing them.
  public var gathers = false
  /// Different bits from two workers end the run.
  public var isStrict = false
  /// A worker that is silent for this long is dead.
  public var deadAfter: Duration = .seconds(10)
  /// A worker whose work stands still for this long is hung.
  public var hungAfter: Duration = .seconds(25)
  /// A run without any worker for this long ends.
  public var joinLimit: Duration = .seconds(600)
  /// Where to serve metrics, as ADDRESS:PORT; nil: nowhere.
  public var metrics: String?

  public init() {}
}
