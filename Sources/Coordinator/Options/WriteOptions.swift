public import ArgumentParser
public import Pruning
internal import Report

/// How a pruned checkpoint is written.
public struct WriteOptions: ParsableArguments, Sendable {
  @Option(
    help: """
      What makes up for the channels that go: none, bias (their mean), least-squares (new weights \
      of those that stay). As a rule that of --method; with second moments least-squares.
      """)
  var compensation: CompensationMethod?

  @Option(help: "Largest shard, in bytes or with a suffix KB, MB, GB.")
  var maxShardSize = "4GB"

  @Option(help: "safetensors, or gguf: model.gguf for llama.cpp, too.")
  var format = CheckpointFormat.safetensors

  @Option(help: "The dense model on the Hugging Face hub, OWNER/NAME, for the model card.")
  var baseModel: String?

  public init() {}

  public func validate() throws {
    guard ByteCount(maxShardSize) != nil else {
      throw ValidationError("--max-shard-size \(maxShardSize): give a number such as 500MB or 4GB")
    }
    if let baseModel, !ModelName.isHubName(baseModel) {
      throw ValidationError("--base-model \(baseModel): give the name on the hub, OWNER/NAME")
    }
  }

  /// - Throws: ``UsageError`` for a format that has no place for means of experts.
  func check(replacingExperts: Bool) throws {
    guard replacingExperts, format == .gguf else { return }
    throw UsageError(
      "--format gguf has no place for the means that --replace-experts puts in the places of experts: "
        + "leave out one of them")
  }

  /// - Throws: ``UsageError`` for least squares where only experts go.
  func check(compensatingExperts compensation: CompensationMethod) throws {
    guard compensation == .leastSquares else { return }
    throw UsageError(
      "experts that go have no channels that least squares could make up for: leave out "
        + "--compensation least-squares")
  }

  /// ``maxShardSize``, which ``validate()`` has read.
  var maximumShardBytes: Int { ByteCount(maxShardSize)!.value }
}

extension CompensationMethod: ExpressibleByArgument {}

/// What a run leaves in its folder.
public enum CheckpointFormat: String, ExpressibleByArgument, Sendable, CaseIterable {
  /// A Hugging Face checkpoint.
  case safetensors
  /// The same and a GGUF file for llama.cpp.
  case gguf
}

/// A number of bytes as people write it: `1234`, `500MB`, `4GB` (powers of ten, as Hugging Face).
struct ByteCount {
  let value: Int

  /// - Returns: nil for anything but a positive number with an optional suffix KB, MB, GB or TB.
  init?(_ text: String) {
    let digits = text.prefix { $0.isASCII && $0.isNumber }
    let factors = [
      "": 1, "KB": 1_000, "MB": 1_000_000, "GB": 1_000_000_000, "TB": 1_000_000_000_000,
    ]
    guard let number = Int(digits), number > 0,
      let factor = factors[text.dropFirst(digits.count).uppercased()]
    else { return nil }
    let (value, overflow) = number.multipliedReportingOverflow(by: factor)
    guard !overflow else { return nil }
    self.value = value
  }
}
