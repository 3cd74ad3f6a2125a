public import ArgumentParser
internal import FlapCore

/// How the forward pass is run.
public struct ForwardOptions: ParsableArguments, Sendable {
  @Option(help: "Format of the matrix products: auto (bf16 where the CPU has it), bf16, f32.")
  var compute = ComputeChoice.auto

  /// The first ones of a `.npy`.
  @Option(
    name: .customLong("samples"),
    help: "Number of samples of the data (default: all; 1024 random ones of a text).")
  var sampleLimit: Int?

  @OptionGroup var text: TextOptions

  /// Tokens of one leaf of the canonical tree, about: decides the bits, so it is part of the run.
  @Option(
    help: ArgumentHelp(
      "Tokens, about, that go through a product together; part of what decides the bits.",
      visibility: .hidden))
  var tokensPerLeaf = 2048

  /// Leaves that go through the model together, at the most.
  @Option(
    name: [.customLong("leaves-per-unit"), .customLong("leaves-per-block")],
    help:
      "Leaves (of some 2048 tokens) per task: more read the weights less often, take more memory.")
  var leavesPerUnit: Int?

  public init() {}

  public func validate() throws {
    guard sampleLimit ?? 1 >= 1 else { throw ValidationError("--samples is at least 1") }
    guard tokensPerLeaf >= 1 else { throw ValidationError("--tokens-per-leaf is at least 1") }
    guard (1...Limits.leavesPerUnit).contains(leavesPerUnit ?? 1) else {
      throw ValidationError("--leaves-per-unit is 1 to \(Limits.leavesPerUnit)")
    }
  }
}

public enum ComputeChoice: String, ExpressibleByArgument, Sendable, CaseIterable {
  /// bf16 where this machine's CPU multiplies it in hardware, else f32.
  case auto
  case bf16
  case f32
}
