public import FlapCore
internal import Storage
public import SystemPackage

/// Token ids [samples, tokens per sample]; each row is one independent sequence.
public struct TokenMatrix: Sendable {
  public let sampleCount: Int
  public let tokensPerSample: Int
  /// Row-major.
  public let tokens: [Int32]
  private let path: String

  /// Reads a `.npy` file (numpy's `format.py`, versions 1 to 3) of int32 or int64.
  ///
  /// - Throws: ``CheckpointError/notTokenIDs(path:reason:)`` or a ``StorageError``.
  public init(path: FilePath) throws {
    let file = try MappedFile(path: path)
    let array = try NumPyArray(file.bytes, path: path.string)
    self.path = path.string
    sampleCount = array.rows
    tokensPerSample = array.columns
    tokens = try array.int32Values()
  }

  /// - Parameter path: where they come from, for messages.
  /// - Precondition: the counts fit.
  public init(sampleCount: Int, tokensPerSample: Int, tokens: [Int32], path: String) {
    precondition(tokens.count == sampleCount * tokensPerSample)
    self.sampleCount = sampleCount
    self.tokensPerSample = tokensPerSample
    self.tokens = tokens
    self.path = path
  }

  /// Token ids of some samples, one after another.
  public func rows(_ samples: Range<Int>) -> ArraySlice<Int32> {
    tokens[samples.lowerBound * tokensPerSample..<samples.upperBound * tokensPerSample]
  }

  /// The first samples.
  public func prefix(sampleCount: Int) -> TokenMatrix {
    let count = min(sampleCount, self.sampleCount)
    return TokenMatrix(
      sampleCount: count, tokensPerSample: tokensPerSample, tokens: Array(rows(0..<count)),
      path: path)
  }

  /// - Throws: ``CheckpointError/tokenOutsideVocabulary(path:sample:position:token:size:)``.
  public func validate(vocabularySize: Int) throws(CheckpointError) {
    guard let index = tokens.firstIndex(where: { $0 < 0 || Int($0) >= vocabularySize }) else {
      return
    }
    throw .tokenOutsideVocabulary(
      path: path, sample: index / tokensPerSample, position: index % tokensPerSample,
      token: tokens[index], size: vocabularySize)
  }

  /// SHA-256 over the sizes and the token ids.
  public var digest: Digest {
    var builder = DigestBuilder()
    builder.update("\(sampleCount) \(tokensPerSample)\n")
    tokens.withUnsafeBytes { builder.update($0) }
    return builder.finalize()
  }
}

/// The header of a `.npy` file and where its numbers lie.
private struct NumPyArray {
  let rows: Int
  let columns: Int
  private let isWide: Bool
  private let data: UnsafeRawBufferPointer
  private let path: String

  init(_ bytes: UnsafeRawBufferPointer, path: String) throws(CheckpointError) {
    func fail(_ reason: String) -> CheckpointError { .notTokenIDs(path: path, reason: reason) }
    guard bytes.count >= 12, bytes.prefix(6).elementsEqual([0x93] + Array("NUMPY".utf8)) else {
      throw fail("it does not begin as a .npy file does")
    }
    let isVersion1 = bytes[6] == 1
    guard (1...3).contains(bytes[6]) else {
      throw fail("its format version \(bytes[6]) is unknown")
    }
    let headerBytes =
      isVersion1
      ? Int(UInt16(littleEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt16.self)))
      : Int(UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt32.self)))
    let start = isVersion1 ? 10 : 12
    guard headerBytes <= bytes.count - start else { throw fail("it is truncated") }
    let header = String(decoding: bytes[start..<start + headerBytes], as: UTF8.self)
      .filter { $0 != " " }
    guard header.contains("'fortran_order':False") else { throw fail("it is not in C order") }
    if header.contains("'descr':'<i4'") {
      isWide = false
    } else if header.contains("'descr':'<i8'") {
      isWide = true
    } else {
      throw fail("its numbers are not little-endian int32")
    }
    guard let shape = NumPyArray.shape(header), shape.count == 2 else {
      throw fail("it is not a matrix")
    }
    guard shape[0] > 0, shape[1] > 0 else { throw fail("it is empty") }
    rows = shape[0]
    columns = shape[1]
    let (count, first) = rows.multipliedReportingOverflow(by: columns)
    let (byteCount, second) = count.multipliedReportingOverflow(by: isWide ? 8 : 4)
    guard !first, !second, byteCount <= bytes.count - start - headerBytes else {
      throw fail("it is truncated")
    }
    let begin = start + headerBytes
    data = UnsafeRawBufferPointer(rebasing: bytes[begin..<begin + byteCount])
    self.path = path
  }

  func int32Values() throws(CheckpointError) -> [Int32] {
    var values: [Int32] = []
    values.reserveCapacity(rows * columns)
    for index in 0..<rows * columns {
      if isWide {
        let wide = Int64(
          littleEndian: data.loadUnaligned(fromByteOffset: index * 8, as: Int64.self))
        guard let value = Int32(exactly: wide) else {
          throw .notTokenIDs(path: path, reason: "\(wide) is no token id")
        }
        values.append(value)
      } else {
        values.append(
          Int32(littleEndian: data.loadUnaligned(fromByteOffset: index * 4, as: Int32.self)))
      }
    }
    return values
  }

  /// The numbers between the brackets of `'shape':(3,4)`.
  private static func shape(_ header: String) -> [Int]? {
    guard let start = header.firstRange(of: "'shape':("),
      let end = header[start.upperBound...].firstIndex(of: ")")
    else { return nil }
    let parts = header[start.upperBound..<end].split(separator: ",")
    let numbers = parts.compactMap { Int($0) }
    return numbers.count == parts.count && numbers.allSatisfy { $0 >= 0 } ? numbers : nil
  }
}
