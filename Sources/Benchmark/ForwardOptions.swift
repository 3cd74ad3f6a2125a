public import FlapCore
public import SystemPackage

/// What a worker's forward pass is measured with.
public struct ForwardOptions: Sendable {
  public var modelDirectory: FilePath
  /// Token ids (`.npy`), taken one after another whatever the rows of the file.
  public var tokens: FilePath
  public var tokensPerSample: Int
  /// Samples of one work unit.
  public var sampleCount: Int
  public var threadCount: Int
  public var compute: ComputeType

  public init(
    modelDirectory: FilePath, tokens: FilePath, tokensPerSample: Int, sampleCount: Int,
    threadCount: Int, compute: ComputeType
  ) {
    self.modelDirectory = modelDirectory
    self.tokens = tokens
    self.tokensPerSample = tokensPerSample
    self.sampleCount = sampleCount
    self.threadCount = threadCount
    self.compute = compute
  }
}
