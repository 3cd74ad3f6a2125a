/// Bounds on what is accepted from a file or a peer, in one place.
public enum Limits {
  /// Largest JSON header of a safetensors file (the format's own limit).
  public static let safetensorsHeaderBytes = 100_000_000
  /// Largest `config.json` or index file that is read.
  public static let jsonFileBytes = 64 << 20
  /// Largest file of keys.
  public static let keyFileBytes = 1 << 20
  /// Largest protobuf header frame of a message.
  public static let headerFrameBytes = 64 << 10
  /// Largest raw frame of a message.
  public static let chunkBytes = 1 << 20
  /// Memory that unpacking one header frame may allocate.
  public static let unpackedHeaderBytes = 1 << 20
  /// Most raw frames of one message.
  public static let framesPerMessage = 4096
  /// Most leaves of a work unit: their sizes are told in the header of one message.
  public static let leavesPerUnit = 4096
  /// Most token ids of a work unit, all in the raw frames of one message.
  public static let tokensPerUnit = (framesPerMessage - 1) * chunkBytes / 4
  /// Most threads of a worker, far more than any machine has cores; each takes scratch of its own.
  public static let threadCount = 4096
  /// Most worker processes that are started on one machine: one process can have all its cores.
  public static let localWorkerCount = 1024
  /// Longest time that an option may ask to wait for, 30 days.
  public static let waitSeconds = 30 * 24 * 3600
  /// Most decoder layers of a model.
  public static let layerCount = 4096
  /// Most experts of all layers of a model together.
  public static let expertCount = 1 << 16
  /// Largest width of a model: hidden size, intermediate size, vocabulary.
  public static let dimension = 1 << 24
}
