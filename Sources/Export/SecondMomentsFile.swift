internal import Checkpoint
public import FlapCore
public import Statistics
internal import Storage
public import SystemPackage

/// `second-moments.safetensors`: Σ x_i x_j of every tap, from which least squares compensates.
///
/// Per layer L and tap with F channels: `model.layers.L.self_attn.o_proj.scale_exponents` I8 [F],
/// `….input_sums` I64 [F] and `….second_moments` I32 [F · (F + 1) / 2], the last two of the kept
/// samples (``SecondMoments``), and `….held_out_input_sums` and `….held_out_second_moments` of those
/// held out; the same for `mlp.down_proj`. Metadata: format "flap-second-moments", version,
/// token_count, held_out_token_count, model_digest, data_digest, compute, shape.
public struct SecondMomentsFile: Sendable {
  public let shape: ModelShape
  public let modelDigest: Digest
  public let dataDigest: Digest
  private let file: ResultFile
  private let counts: (kept: Int, heldOut: Int)

  static let format = "flap-second-moments"

  /// - Throws: ``ResultFileError``, ``CheckpointError``, ``StorageError``.
  public init(path: FilePath) throws {
    file = try ResultFile(path: path, format: SecondMomentsFile.format)
    shape = try file.shape()
    modelDigest = try file.digest("model_digest")
    dataDigest = try file.digest("data_digest")
    counts = (try file.count("token_count"), try file.count("held_out_token_count"))
  }

  // MARK: Writing

  /// What a file says besides its sums.
  public struct Contents: Sendable {
    public let shape: ModelShape
    public let modelDigest: Digest
    public let dataDigest: Digest
    public let compute: ComputeType
    public let scales: ChannelScales

    public init(
      shape: ModelShape, modelDigest: Digest, dataDigest: Digest, compute: ComputeType,
      scales: ChannelScales
    ) {
      self.shape = shape
      self.modelDigest = modelDigest
      self.dataDigest = dataDigest
      self.compute = compute
      self.scales = scales
    }
  }

  /// - Parameter sums: of the kept samples and of those held out; asked for tap by tap, so that those
  ///   of one are in memory at a time.
  public static func write(
    _ contents: Contents, to path: FilePath, tokenCount: Int, heldOutTokenCount: Int,
    sums: (TapPlace, _ isHeldOut: Bool) throws -> SecondMoments
  ) throws {
    let places = TapPlace.all(in: contents.shape.layers.indices)
    let tensors = places.flatMap { place in
      declarations(place, channels: contents.shape.channelCount(layer: place.layer, tap: place.tap))
    }
    var writer = try SafetensorsWriter(
      destination: path, tensors: tensors,
      metadata: [
        "format": format, "version": "\(ResultFile.version)", "token_count": "\(tokenCount)",
        "held_out_token_count": "\(heldOutTokenCount)",
        "model_digest": contents.modelDigest.hexadecimal,
        "data_digest": contents.dataDigest.hexadecimal, "compute": contents.compute.rawValue,
        "shape": ShapeText.encode(contents.shape),
      ])
    for place in places {
      for isHeldOut in [false, true] {
        let moments = try sums(place, isHeldOut)
        try moments.withSums { try writer.append(UnsafeRawBufferPointer($0)) }
        try moments.withProducts { try writer.append(UnsafeRawBufferPointer($0)) }
      }
      let exponents = contents.scales.exponents[place.layer][place.tap]
      try exponents.withUnsafeBytes { try writer.append($0) }
    }
    _ = try writer.commit()
  }

  public static func byteCount(_ shape: ModelShape) -> Int {
    TapPlace.all(in: shape.layers.indices).reduce(0) { sum, place in
      declarations(place, channels: shape.channelCount(layer: place.layer, tap: place.tap))
        .reduce(sum) { $0 + $1.byteCount }
    }
  }

  /// The exponents last: what follows 4 bytes each stays aligned to them.
  private static func declarations(_ place: TapPlace, channels: Int) -> [TensorDeclaration] {
    [false, true].flatMap { isHeldOut in
      [
        TensorDeclaration(
          name: name(place, "input_sums", isHeldOut), elementType: .int64, shape: [channels]),
        TensorDeclaration(
          name: name(place, "second_moments", isHeldOut), elementType: .int32,
          shape: [SecondMoments.productCount(channels)]),
      ]
    } + [
      TensorDeclaration(
        name: name(place, "scale_exponents"), elementType: .int8, shape: [channels])
    ]
  }

  private static func name(_ place: TapPlace, _ array: String, _ isHeldOut: Bool = false) -> String
  {
    "\(place.tap.moduleName(layer: place.layer)).\(isHeldOut ? "held_out_" : "")\(array)"
  }

  // MARK: Reading

  /// Which of the samples.
  public enum Part: Sendable {
    case kept, heldOut, all
  }

  /// Mean and covariance at one tap, read from the mapped file as they are asked for.
  public struct Moments: Sendable {
    public let tokenCount: Int
    /// [channels]
    public let mean: [Double]
    /// 2^−e of every channel.
    private let units: [Double]
    private let products: [TensorView]

    init(
      tokenCount: Int, exponents: [Int8], sums: [[Int64]], products: [TensorView]
    ) {
      self.tokenCount = tokenCount
      self.products = products
      let tokens = Double(tokenCount)
      let units = exponents.map { Double(sign: .plus, exponent: -Int($0), significand: 1) }
      self.units = units
      let sumUnit = 1 / Double(1 << SecondMoments.sumBits)
      mean = units.indices.map { channel in
        let sum = sums.reduce(Int64(0)) { $0 &+ $1[channel] }
        return Double(sum) * units[channel] * sumUnit / tokens
      }
    }

    /// C[row, columns], C = E xxᵀ − μμᵀ.
    ///
    /// - Precondition: no column is beyond the row.
    public func readCovariance(
      _ row: Int, _ columns: Range<Int>, to values: UnsafeMutablePointer<Double>
    ) {
      let scale = units[row] / Double(tokenCount)
      let start = SecondMoments.productCount(row)
      for (position, column) in columns.enumerated() {
        var sum: Int64 = 0
        for view in products {
          sum += Int64(
            view.bytes.loadUnaligned(fromByteOffset: 4 * (start + column), as: Int32.self))
        }
        values[position] = Double(sum) * scale * units[column] - mean[row] * mean[column]
      }
    }
  }

  /// - Throws: ``ResultFileError`` where the file is not what it says.
  public func moments(_ place: TapPlace, _ part: Part) throws -> Moments {
    let channels = shape.channelCount(layer: place.layer, tap: place.tap)
    let parts: [Bool] =
      switch part {
      case .kept: [false]
      case .heldOut: [true]
      case .all: [false, true]
      }
    return Moments(
      tokenCount: parts.reduce(0) { $0 + ($1 ? counts.heldOut : counts.kept) },
      exponents: try file.values(
        SecondMomentsFile.name(place, "scale_exponents"), .int8, count: channels, as: Int8.self),
      sums: try parts.map {
        try file.values(
          SecondMomentsFile.name(place, "input_sums", $0), .int64, count: channels, as: Int64.self)
      },
      products: try parts.map {
        try file.tensor(
          SecondMomentsFile.name(place, "second_moments", $0), .int32,
          SecondMoments.productCount(channels))
      })
  }
}
