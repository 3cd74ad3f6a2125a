internal import Checkpoint
internal import FlapCore
internal import Statistics
internal import Storage
internal import SystemPackage

/// `L-TAP.safetensors` in a folder of second moments: Σ x_i x_j of one tap's F channels, from which least
/// squares compensates.
///
/// `input_sums` I64 [F] and `second_moments` I32 [F · (F + 1) / 2] of the kept samples
/// (``SecondMoments``), `held_out_input_sums` and `held_out_second_moments` of those held out, and
/// `scale_exponents` I8 [F]. Of E experts' F channels there are second moments within each expert alone, I32
/// [E · F/E · (F/E + 1) / 2], and `expert_token_counts` and `held_out_expert_token_counts` I64 [E]. Metadata:
/// format "flap-second-moments", version, layer, tap, token_count, held_out_token_count, model_digest,
/// data_digest, compute, shape.
struct SecondMomentsFile: Sendable {
  let file: ResultFile
  let shape: ModelShape
  let modelDigest: Digest
  let dataDigest: Digest
  private let place: TapPlace
  private let counts: (kept: Int, heldOut: Int)

  static let format = "flap-second-moments"

  /// - Throws: ``ResultFileError``, ``CheckpointError``, ``StorageError``.
  init(_ place: TapPlace, path: FilePath) throws {
    file = try ResultFile(path: path, format: SecondMomentsFile.format)
    shape = try file.shape()
    modelDigest = try file.digest("model_digest")
    dataDigest = try file.digest("data_digest")
    counts = (try file.count("token_count"), try file.count("held_out_token_count"))
    self.place = place
    guard try file.text("layer") == "\(place.layer)", try file.text("tap") == place.tap.moduleName,
      shape.layers.indices.contains(place.layer)
    else { throw file.error("it is of another map than its name says") }
  }

  // MARK: Writing

  static func write(
    _ contents: SecondMomentsFolder.Contents, at place: TapPlace, exponents: [Int8],
    kept: UnsafeRawBufferPointer, heldOut: UnsafeRawBufferPointer, to path: FilePath,
    attempt: String
  ) throws {
    let inputs = contents.shape.mapChannels(layer: place.layer, tap: place.tap)
    let channels = exponents.count
    let byteCount = SecondMoments.byteCount(inputs)
    precondition(kept.count == byteCount && heldOut.count == byteCount, "sums of one tap")
    let tensors = [false, true].flatMap { isHeldOut in
      (inputs.mapCount == 1
        ? []
        : [
          TensorDeclaration(
            name: name("expert_token_counts", isHeldOut), elementType: .int64,
            shape: [inputs.mapCount])
        ]) + [
          TensorDeclaration(
            name: name("input_sums", isHeldOut), elementType: .int64, shape: [channels]),
          TensorDeclaration(
            name: name("second_moments", isHeldOut), elementType: .int32,
            shape: [SecondMoments.productCount(inputs)]),
        ]
    }
    var writer = try SafetensorsWriter(
      destination: path, attempt: attempt,
      tensors: tensors + [
        // Last: what follows 4 bytes each stays aligned to them.
        TensorDeclaration(name: "scale_exponents", elementType: .int8, shape: [channels])
      ],
      metadata: [
        "format": format, "version": "\(ResultFile.version)", "layer": "\(place.layer)",
        "tap": place.tap.moduleName, "token_count": "\(SecondMoments.count(in: kept))",
        "held_out_token_count": "\(SecondMoments.count(in: heldOut))",
        "model_digest": contents.modelDigest.hexadecimal,
        "data_digest": contents.dataDigest.hexadecimal, "compute": contents.compute.rawValue,
        "shape": ShapeText.encode(contents.shape),
      ])
    for sums in [kept, heldOut] { try writer.append(UnsafeRawBufferPointer(rebasing: sums[8...])) }
    try exponents.withUnsafeBytes { try writer.append($0) }
    _ = try writer.commit()
  }

  private static func name(_ array: String, _ isHeldOut: Bool = false) -> String {
    "\(isHeldOut ? "held_out_" : "")\(array)"
  }

  // MARK: Reading

  /// Σ x of every channel, of the kept samples and of those held out, and the exponents of the scales.
  func channels() throws -> (sums: [[Int64]], exponents: [Int8]) {
    let channels = shape.channelCount(layer: place.layer, tap: place.tap)
    return (
      try [false, true].map {
        try file.values(
          SecondMomentsFile.name("input_sums", $0), .int64, count: channels, as: Int64.self)
      }, try file.values("scale_exponents", .int8, count: channels, as: Int8.self)
    )
  }

  /// - Parameter map: of those that the tap feeds.
  func moments(_ part: SecondMomentsFolder.Part, map: Int) throws -> SecondMomentsFolder.Moments {
    let inputs = shape.mapChannels(layer: place.layer, tap: place.tap)
    let channels = inputs.channels(ofMap: map)
    func values<Number: FixedWidthInteger>(
      _ name: String, _ type: ElementType, as _: Number.Type
    ) throws -> [Number] {
      try file.values(name, type, channels, of: inputs.channelCount, as: Number.self)
    }
    let parts = SecondMomentsFile.areHeldOut(part)
    return SecondMomentsFolder.Moments(
      tokenCount: try tokenCount(part, map: map),
      exponents: try values("scale_exponents", .int8, as: Int8.self),
      sums: try parts.map {
        try values(SecondMomentsFile.name("input_sums", $0), .int64, as: Int64.self)
      },
      products: try parts.map {
        try file.tensor(
          SecondMomentsFile.name("second_moments", $0), .int32, SecondMoments.productCount(inputs))
      }, firstProduct: map * SecondMoments.productCount(inputs.width))
  }

  private static func areHeldOut(_ part: SecondMomentsFolder.Part) -> [Bool] {
    switch part {
    case .kept: [false]
    case .heldOut: [true]
    case .all: [false, true]
    }
  }

  /// - Parameter map: of those that the tap feeds; nil: all tokens.
  func tokenCount(_ part: SecondMomentsFolder.Part, map: Int?) throws -> Int {
    try SecondMomentsFile.areHeldOut(part).reduce(0) { try $0 + tokenCount(isHeldOut: $1, map) }
  }

  private func tokenCount(isHeldOut: Bool, _ map: Int?) throws -> Int {
    let all = isHeldOut ? counts.heldOut : counts.kept
    let mapCount = shape.mapChannels(layer: place.layer, tap: place.tap).mapCount
    guard let map, mapCount > 1 else { return all }
    let name = SecondMomentsFile.name("expert_token_counts", isHeldOut)
    let count = try file.values(name, .int64, map..<map + 1, of: mapCount, as: Int64.self)[0]
    guard (0...Int64(all)).contains(count) else {
      throw file.error("\(name) has a count that cannot be")
    }
    return Int(count)
  }
}
