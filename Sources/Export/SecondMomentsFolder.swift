internal import Checkpoint
public import FlapCore
public import Statistics
internal import Storage
public import SystemPackage

/// A folder of second moments: a file for every map, whose sums are written, read and merged without
/// another's.
public struct SecondMomentsFolder: Sendable {
  public let path: FilePath
  public let shape: ModelShape
  public let modelDigest: Digest
  public let dataDigest: Digest

  /// - Throws: ``ResultFileError`` where it is none, or lacks a map; ``CheckpointError``,
  ///   ``StorageError``.
  public init(path: FilePath) throws {
    self.path = path
    guard Folder.isThere(path) else {
      throw ResultFileError(
        path: path.string,
        reason: "no folder of second moments, as calibrate --second-moments FOLDER makes it")
    }
    let first = TapPlace(layer: 0, .attentionOutput)
    let file = try SecondMomentsFile(first, path: SecondMomentsFolder.path(of: first, in: path))
    shape = file.shape
    modelDigest = file.modelDigest
    dataDigest = file.dataDigest
    for place in TapPlace.all(in: shape.layers.indices) { _ = try self.file(place) }
  }

  public static func path(of place: TapPlace, in folder: FilePath) -> FilePath {
    folder.appending("\(place.layer)-\(place.tap.moduleName).safetensors")
  }

  // MARK: Writing

  /// What a file says besides its sums.
  public struct Contents: Sendable {
    public let shape: ModelShape
    public let modelDigest: Digest
    public let dataDigest: Digest
    public let compute: ComputeType

    public init(
      shape: ModelShape, modelDigest: Digest, dataDigest: Digest, compute: ComputeType
    ) {
      self.shape = shape
      self.modelDigest = modelDigest
      self.dataDigest = dataDigest
      self.compute = compute
    }
  }

  /// Writes the file of one map.
  ///
  /// - Parameters:
  ///   - kept, heldOut: sums in the layout of ``SecondMoments``.
  ///   - attempt: keeps apart writers that try at the same time.
  public static func write(
    _ contents: Contents, at place: TapPlace, exponents: [Int8], kept: UnsafeRawBufferPointer,
    heldOut: UnsafeRawBufferPointer, to path: FilePath, attempt: String
  ) throws {
    try SecondMomentsFile.write(
      contents, at: place, exponents: exponents, kept: kept, heldOut: heldOut, to: path,
      attempt: attempt)
  }

  /// Whether a map's file is there, and of this model and data.
  public static func holds(
    _ place: TapPlace, in folder: FilePath, modelDigest: Digest, dataDigest: Digest
  ) -> Bool {
    guard let file = try? SecondMomentsFile(place, path: path(of: place, in: folder)) else {
      return false
    }
    return file.modelDigest == modelDigest && file.dataDigest == dataDigest
  }

  /// Bytes of the files of all maps, besides their headers.
  public static func byteCount(_ shape: ModelShape) -> Int {
    TapPlace.all(in: shape.layers.indices).reduce(0) {
      let inputs = shape.mapChannels(layer: $1.layer, tap: $1.tap)
      return $0 + 2 * SecondMoments.byteCount(inputs) + inputs.channelCount
    }
  }

  // MARK: Reading

  /// Which of the samples.
  public enum Part: Sendable {
    case kept, heldOut, all
  }

  /// Mean and covariance of one map's input, read from the mapped file as they are asked for.
  public struct Moments: Sendable {
    /// 0 for an expert that none goes through; its means are zeros.
    public let tokenCount: Int
    /// [channels]
    public let mean: [Double]
    /// 2^−e of every channel.
    private let units: [Double]
    private let products: [TensorView]
    /// Where in the products the map's begin.
    private let firstProduct: Int

    init(
      tokenCount: Int, exponents: [Int8], sums: [[Int64]], products: [TensorView],
      firstProduct: Int = 0
    ) {
      self.tokenCount = tokenCount
      self.products = products
      self.firstProduct = firstProduct
      let tokens = Double(max(tokenCount, 1))
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
      let scale = units[row] / Double(max(tokenCount, 1))
      let start = firstProduct + SecondMoments.productCount(row)
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

  /// - Parameter expert: whose map it is; nil: the layer's own.
  /// - Throws: ``ResultFileError`` where the file is not what it says.
  public func moments(_ place: TapPlace, expert: Int? = nil, _ part: Part) throws -> Moments {
    try file(place).moments(part, map: expert ?? 0)
  }

  /// Tokens that went through a map.
  ///
  /// - Parameter expert: whose map it is; nil: all that went through the layer, whichever experts they took.
  public func tokenCount(_ place: TapPlace, expert: Int? = nil, _ part: Part) throws -> Int {
    try file(place).tokenCount(part, map: expert)
  }

  /// SHA-256 of what tells these sums from all others: sums and scales of every channel, of the kept
  /// samples and of those held out. The products follow from the same samples, and are not read.
  public func fingerprint() throws -> Digest {
    var digest = DigestBuilder()
    for place in TapPlace.all(in: shape.layers.indices) {
      let (sums, exponents) = try file(place).channels()
      for sum in sums { sum.withUnsafeBytes { digest.update($0) } }
      exponents.withUnsafeBytes { digest.update($0) }
    }
    return digest.finalize()
  }

  private func file(_ place: TapPlace) throws -> SecondMomentsFile {
    let file = try SecondMomentsFile(place, path: SecondMomentsFolder.path(of: place, in: path))
    guard file.modelDigest == modelDigest, file.dataDigest == dataDigest, file.shape == shape else {
      throw file.file.error("it is of another model or other samples than its neighbours")
    }
    return file
  }
}
