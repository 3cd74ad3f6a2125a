internal import Checkpoint
public import FlapCore
public import Statistics
internal import Storage
public import SystemPackage

/// `L-TAP.safetensors` in the folder of a pruned model's sums: ``TargetMoments`` of one map over all
/// samples, K being its channels that stay.
///
/// `scale_exponents` I8 [K], `input_sums` I64 [K], `second_moments` I32 [K · (K + 1) / 2],
/// `target_sums` I64 [hidden], `target_moments` I64 [hidden · K]. Metadata: format
/// "flap-target-moments", version, token_count, hidden_size, channel_count, plan_digest.
public struct TargetMomentsFile: Sendable {
  public let tokenCount: Int
  /// μ of the inputs, [channels].
  public let inputMean: [Double]
  /// μ of what the map should give, [hidden].
  public let targetMean: [Double]
  private let inputs: SecondMomentsFolder.Moments
  private let units: [Double]
  private let products: TensorView

  static let format = "flap-target-moments"

  public static func path(of place: TapPlace, in folder: FilePath) -> FilePath {
    folder.appending("\(place.layer)-\(place.tap.moduleName).safetensors")
  }

  /// - Throws: ``ResultFileError`` where the file is of another plan or not what it says;
  ///   ``CheckpointError``, ``StorageError``.
  public init(path: FilePath, plan: Digest) throws {
    let file = try ResultFile(path: path, format: TargetMomentsFile.format)
    guard try file.digest("plan_digest") == plan else { throw file.error("it is of another plan") }
    tokenCount = try file.count("token_count")
    let channels = try file.count("channel_count")
    let outputs = try file.count("hidden_size")
    guard channels <= Limits.dimension, outputs <= Limits.dimension else {
      throw file.error("its sizes are those of no model")
    }
    let exponents = try file.values(
      "scale_exponents", .int8, count: channels, as: Int8.self)
    inputs = SecondMomentsFolder.Moments(
      tokenCount: tokenCount, exponents: exponents,
      sums: [try file.values("input_sums", .int64, count: channels, as: Int64.self)],
      products: [
        try file.tensor("second_moments", .int32, SecondMoments.productCount(channels))
      ])
    inputMean = inputs.mean
    units = exponents.map { exponent in
      Double(sign: .plus, exponent: -Int(exponent) - TargetMoments.targetBits, significand: 1)
    }
    let unit = Double(sign: .plus, exponent: -TargetMoments.targetBits, significand: 1)
    let tokens = Double(tokenCount)
    targetMean = try file.values("target_sums", .int64, count: outputs, as: Int64.self).map {
      Double($0) * unit / tokens
    }
    products = try file.tensor("target_moments", .int64, outputs * channels)
  }

  /// C[row, columns] of the inputs. - Precondition: no column is beyond the row.
  public func readCovariance(
    _ row: Int, _ columns: Range<Int>, to values: UnsafeMutablePointer<Double>
  ) {
    inputs.readCovariance(row, columns, to: values)
  }

  /// E y_i xᵀ − μ_y μ_xᵀ of one output, [channels].
  public func readCross(_ output: Int, to values: UnsafeMutablePointer<Double>) {
    let tokens = Double(tokenCount)
    for (channel, unit) in units.enumerated() {
      let sum = products.bytes.loadUnaligned(
        fromByteOffset: 8 * (output * units.count + channel), as: Int64.self)
      values[channel] = Double(sum) * unit / tokens - targetMean[output] * inputMean[channel]
    }
  }

  /// - Parameters:
  ///   - sums: in the layout of ``TargetMoments``.
  ///   - exponents: of the inputs' scales.
  ///   - attempt: keeps apart writers that try at the same time.
  public static func write(
    _ sums: UnsafeRawBufferPointer, outputCount: Int, exponents: [Int8], plan: Digest,
    to path: FilePath, attempt: String
  ) throws {
    let channels = exponents.count
    precondition(
      sums.count
        == TargetMoments.layout(channelCount: channels, outputCount: outputCount).byteCount)
    func tensor(_ name: String, _ type: ElementType, _ count: Int) -> TensorDeclaration {
      TensorDeclaration(name: name, elementType: type, shape: [count])
    }
    var writer = try SafetensorsWriter(
      destination: path, attempt: attempt,
      tensors: [
        tensor("target_sums", .int64, outputCount),
        tensor("target_moments", .int64, outputCount * channels),
        tensor("input_sums", .int64, channels),
        tensor("second_moments", .int32, SecondMoments.productCount(channels)),
        tensor("scale_exponents", .int8, channels),
      ],
      metadata: [
        "format": format, "version": "\(ResultFile.version)",
        "token_count": "\(SecondMoments.count(in: sums))", "hidden_size": "\(outputCount)",
        "channel_count": "\(channels)", "plan_digest": plan.hexadecimal,
      ])
    let inputBytes = SecondMoments.byteCount(MapChannels(channelCount: channels))
    try writer.append(UnsafeRawBufferPointer(rebasing: sums[inputBytes...]))
    try writer.append(UnsafeRawBufferPointer(rebasing: sums[8..<inputBytes]))
    try exponents.withUnsafeBytes { try writer.append($0) }
    _ = try writer.commit()
  }
}
