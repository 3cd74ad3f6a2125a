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
  /// Most decoder layers of a model.
  public static let layerCount = 4096
  /// Largest width of a model: hidden size, intermediate size, vocabulary.
  public static let dimension = 1 << 24
}
