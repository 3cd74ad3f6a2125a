internal import Checkpoint
public import FlapCore
public import Statistics
internal import Storage
public import SystemPackage

/// `fitted/L-TAP.safetensors` in the folder of a pruned model's sums: a map that was fitted to them, for
/// workers that come later.
///
/// `bias` F64 [hidden], `weight` [hidden, channels that stay] in the checkpoint's type. Metadata: format
/// "flap-fitted-map", version, plan_digest, ridge (λ), ridge_raised, content_digest (SHA-256 of both tensors).
public enum FittedMapFile {
  static let format = "flap-fitted-map"
  private static let stepBytes = 64 << 20

  public static func folder(in sums: FilePath) -> FilePath { sums.appending("fitted") }

  public static func path(of place: TapPlace, in sums: FilePath) -> FilePath {
    folder(in: sums).appending("\(place.layer)-\(place.tap.moduleName).safetensors")
  }

  /// - Parameter shape: of the weight, [hidden, channels that stay].
  /// - Throws: ``ResultFileError`` where it is of another plan, not what it says, or damaged;
  ///   ``CheckpointError``, ``StorageError``.
  public static func read(
    _ path: FilePath, plan: Digest, type: ElementType, rows: Int, columns: Int
  ) throws -> FittedMap {
    let file = try ResultFile(path: path, format: format)
    guard try file.digest("plan_digest") == plan else { throw file.error("it is of another plan") }
    let bias = try file.tensor("bias", .float64, shape: [rows])
    let weight = try file.tensor("weight", type, shape: [rows, columns])
    guard try file.digest("content_digest") == digest(bias.bytes, weight.bytes) else {
      throw file.error("it is damaged")
    }
    return FittedMap(
      weight: FittedWeight(
        elementType: type, rows: rows, columns: columns, bytes: weight.bytes, owner: weight.file),
      bias: bias.float64Values(), ridge: try file.number("ridge"),
      isRidgeRaised: try file.flag("ridge_raised"))
  }

  /// - Parameters:
  ///   - attempt: keeps apart workers that write at the same time.
  ///   - onStep: called after every 64 MiB, so that a slow disk is not taken for a standstill.
  public static func write(
    _ map: FittedMap, plan: Digest, to path: FilePath, attempt: String, onStep: () -> Void = {}
  ) throws {
    let weight = map.weight
    try ElementType.float64.encode(map.bias).withUnsafeBytes { bias in
      var writer = try SafetensorsWriter(
        destination: path, attempt: attempt,
        tensors: [
          TensorDeclaration(name: "bias", elementType: .float64, shape: [map.bias.count]),
          TensorDeclaration(
            name: "weight", elementType: weight.elementType, shape: [weight.rows, weight.columns]),
        ],
        metadata: [
          "format": format, "version": "\(ResultFile.version)", "plan_digest": plan.hexadecimal,
          "ridge": "\(map.ridge)", "ridge_raised": "\(map.isRidgeRaised)",
          "content_digest": digest(bias, weight.bytes).hexadecimal,
        ])
      try writer.append(bias)
      for first in stride(from: 0, to: weight.bytes.count, by: stepBytes) {
        let end = min(first + stepBytes, weight.bytes.count)
        try writer.append(UnsafeRawBufferPointer(rebasing: weight.bytes[first..<end]))
        onStep()
      }
      _ = try writer.commit()
    }
  }

  private static func digest(
    _ bias: UnsafeRawBufferPointer, _ weight: UnsafeRawBufferPointer
  ) -> Digest {
    var builder = DigestBuilder()
    builder.update(bias)
    builder.update(weight)
    return builder.finalize()
  }
}
