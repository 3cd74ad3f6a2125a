/// How a pruned checkpoint is written.
public struct WriteOptions: Sendable {
  /// Removed channels leave a bias behind that restores the mean output.
  public var compensates: Bool
  public var maximumShardBytes: Int
  public var format: CheckpointFormat

  public init(
    compensates: Bool, maximumShardBytes: Int, format: CheckpointFormat = .safetensors
  ) {
    self.compensates = compensates
    self.maximumShardBytes = maximumShardBytes
    self.format = format
  }
}

/// What a run leaves in its folder.
public enum CheckpointFormat: String, Sendable, CaseIterable {
  /// A Hugging Face checkpoint.
  case safetensors
  /// The same and a GGUF file for llama.cpp.
  case gguf
}

/// A number of bytes as people write it: `1234`, `500MB`, `4GB` (powers of ten, as Hugging Face).
public struct ByteCount: Sendable {
  public let value: Int

  /// - Returns: nil for anything but a positive number with an optional suffix KB, MB, GB or TB.
  public init?(_ text: String) {
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
