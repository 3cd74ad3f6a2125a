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

  /// Reads a `.npy` file (numpy's `format.py`, versions 1 to 3) of integers: uint8 to uint64, int8 to
  /// int64.
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

  /// Rows that were filled up to one length, without what fills them: the ids `pad` at the beginning
  /// and the end of each. What remains comes one row after another and is cut into samples; ids that
  /// fill no sample at the end are left out.
  ///
  /// So pads are no input to anything, as an attention mask would have it, and every sample is as long
  /// as the others.
  ///
  /// - Returns: nil where not one sample is left.
  /// - Throws: ``CheckpointError/tokenOutsideVocabulary(path:sample:position:token:size:)``, with the
  ///   place in the file; a pad may be outside.
  public func packed(
    withoutPad pad: Int32, tokensPerSample length: Int, vocabularySize: Int
  ) throws(CheckpointError) -> TokenMatrix? {
    var kept: [Int32] = []
    for sample in 0..<sampleCount {
      let row = rows(sample..<sample + 1)
      let first = row.firstIndex { $0 != pad } ?? row.endIndex
      let end = (row.lastIndex { $0 != pad } ?? row.endIndex - 1) + 1
      for index in first..<max(first, end) where !(0..<vocabularySize).contains(Int(row[index])) {
        throw .tokenOutsideVocabulary(
          path: path, sample: sample, position: index - row.startIndex, token: row[index],
          size: vocabularySize)
      }
      kept += row[first..<max(first, end)]
    }
    let count = kept.count / length
    guard count > 0 else { return nil }
    return TokenMatrix(
      sampleCount: count, tokensPerSample: length, tokens: Array(kept.prefix(count * length)),
      path: path)
  }

  /// An id that seems to fill rows up: at the beginning or the end of a tenth of them it stands several
  /// times in a row.
  public var likelyPad: Int32? {
    let runLength = 4
    guard tokensPerSample > runLength else { return nil }
    var counts: [Int32: Int] = [:]
    for sample in 0..<sampleCount {
      let row = rows(sample..<sample + 1)
      for run in [row.prefix(runLength), row.suffix(runLength)] {
        if let id = run.first, run.allSatisfy({ $0 == id }) { counts[id, default: 0] += 1 }
      }
    }
    guard let most = counts.max(by: { ($0.value, $1.key) < ($1.value, $0.key) }) else { return nil }
    return most.value > 1 && most.value * 10 >= sampleCount ? most.key : nil
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
  private let type: IntegerType
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
    guard let type = IntegerType.allCases.first(where: { $0.isNamed(in: header) }) else {
      throw fail(
        "its numbers are not little-endian integers: python3 -c \"import numpy, sys; numpy.save("
          + "sys.argv[1], numpy.load(sys.argv[1]).astype('<i4'))\" \(path)")
    }
    self.type = type
    guard let shape = NumPyArray.shape(header), shape.count == 2 else {
      throw fail(
        "it is not a matrix; for rows of 2048: python3 -c \"import numpy, sys; t = numpy.load("
          + "sys.argv[1]).ravel(); numpy.save(sys.argv[1], t[:len(t) // 2048 * 2048]"
          + ".reshape(-1, 2048))\" \(path)")
    }
    guard shape[0] > 0, shape[1] > 0 else { throw fail("it is empty") }
    rows = shape[0]
    columns = shape[1]
    let (count, first) = rows.multipliedReportingOverflow(by: columns)
    let (byteCount, second) = count.multipliedReportingOverflow(by: type.byteCount)
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
      guard let value = type.value(data, at: index) else {
        let place = "sample \(index / columns), position \(index % columns)"
        throw .notTokenIDs(
          path: path, reason: "\(type.text(data, at: index)) (\(place)) is no token id")
      }
      values.append(value)
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

/// The integers of numpy, little-endian.
private enum IntegerType: String, CaseIterable {
  case int32 = "<i4"
  case int64 = "<i8"
  case uint16 = "<u2"
  case uint32 = "<u4"
  case int16 = "<i2"
  case uint64 = "<u8"
  case uint8 = "|u1"
  case int8 = "|i1"

  func isNamed(in header: String) -> Bool { header.contains("'descr':'\(rawValue)'") }

  var byteCount: Int {
    switch self {
    case .uint8, .int8: 1
    case .uint16, .int16: 2
    case .int32, .uint32: 4
    case .int64, .uint64: 8
    }
  }

  /// - Returns: nil where an Int32 cannot hold it.
  func value(_ data: UnsafeRawBufferPointer, at index: Int) -> Int32? {
    func read<Number: FixedWidthInteger & BitwiseCopyable>(_ type: Number.Type) -> Int32? {
      Int32(exactly: number(data, at: index, as: type))
    }
    return switch self {
    case .int32: read(Int32.self)
    case .int64: read(Int64.self)
    case .uint16: read(UInt16.self)
    case .uint32: read(UInt32.self)
    case .int16: read(Int16.self)
    case .uint64: read(UInt64.self)
    case .uint8: read(UInt8.self)
    case .int8: read(Int8.self)
    }
  }

  /// As it is, for errors.
  func text(_ data: UnsafeRawBufferPointer, at index: Int) -> String {
    switch self {
    case .uint64: "\(number(data, at: index, as: UInt64.self))"
    case .uint32: "\(number(data, at: index, as: UInt32.self))"
    default: "\(number(data, at: index, as: Int64.self))"
    }
  }

  private func number<Number: FixedWidthInteger & BitwiseCopyable>(
    _ data: UnsafeRawBufferPointer, at index: Int, as type: Number.Type
  ) -> Number {
    Number(
      littleEndian: data.loadUnaligned(
        fromByteOffset: index * MemoryLayout<Number>.size, as: type))
  }
}
