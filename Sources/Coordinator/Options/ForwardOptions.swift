/// How the forward pass is run.
public struct ForwardOptions: Sendable {
  /// nil: bf16 where this machine's CPU multiplies it in hardware, else f32.
  public var compute: ComputeChoice = .auto
  /// Samples of the data, the first ones of a `.npy`; nil: all, and 1024 random ones of a text.
  public var sampleLimit: Int?
  public var text = TextOptions()
  /// Tokens of one leaf of the canonical tree, about: decides the bits, so it is part of the run.
  public var tokensPerLeaf = 2048
  /// Leaves that go through the model together, at the most.
  public var leavesPerBlock: Int?

  public init() {}
}

public enum ComputeChoice: String, Sendable, CaseIterable {
  case auto
  case bf16
  case f32
}
