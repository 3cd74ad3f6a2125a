/// One host of a hosts file, its ranges expanded.
public struct HostEntry: Hashable, Sendable {
  /// A variable of the worker's environment. For settings, not secrets: other users of either
  /// machine can read it in the list of processes.
  public struct Variable: Hashable, Sendable {
    public let name: String
    public let value: String

    public init(name: String, value: String) {
      self.name = name
      self.value = value
    }
  }

  /// The user there; nil for what ssh chooses.
  public var user: String?
  /// A name, an IPv4 address, or an IPv6 address without its brackets.
  public var host: String
  /// The port of ssh; nil for what ssh chooses.
  public var port: Int?
  /// Leaves that the worker there computes side by side; nil for the worker's own choice.
  public var lanes: Int?
  /// Threads that compute, of all lanes together; nil for the worker's own choice.
  public var threads: Int?
  /// Memory that the worker there may use; nil when not told.
  public var memoryBytes: Int?
  /// `flap-worker` there, an absolute path.
  public var workerProgram: String?
  /// The checkpoint's folder there, an absolute path, or its name on the hub, `OWNER/NAME`, which is
  /// looked up there.
  public var modelDirectory: String?
  /// Whether each memory node there has a worker of its own; nil for what holds for all hosts.
  public var usesMemoryNodes: Bool?
  /// In the order of the line.
  public var environment: [Variable]
  /// The line of the hosts file, from 1.
  public var line: Int

  public init(
    user: String? = nil, host: String, port: Int? = nil, lanes: Int? = nil, threads: Int? = nil,
    memoryBytes: Int? = nil, workerProgram: String? = nil, modelDirectory: String? = nil,
    environment: [Variable] = [], line: Int = 1
  ) {
    self.user = user
    self.host = host
    self.port = port
    self.lanes = lanes
    self.threads = threads
    self.memoryBytes = memoryBytes
    self.workerProgram = workerProgram
    self.modelDirectory = modelDirectory
    self.environment = environment
    self.line = line
  }

  /// Whether the model there is named as on the hub.
  public var namesModelOfHub: Bool { modelDirectory?.hasPrefix("/") == false }

  /// The host as people read it: `node1`, `node1:2222`, `[fe80::1]:2222`. It holds no `/` and does
  /// not begin with a dot, so that it also names a log file.
  public var label: String {
    guard let port else { return host }
    return host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]:\(port)" : "\(host):\(port)"
  }
}
