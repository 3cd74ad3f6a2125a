internal import Checkpoint
internal import FlapCore
internal import SystemPackage

/// A statistics or plan file that cannot be what it says: which, why, what to do.
public struct ResultFileError: Error, Hashable, Sendable, CustomStringConvertible {
  public let path: String
  public let reason: String

  public var description: String { "\(path): \(reason)" }
}

/// Strict reading of the safetensors files that this program writes about a model.
struct ResultFile {
  static let version = 1

  private let file: SafetensorsFile

  init(path: FilePath, format: String) throws {
    file = try SafetensorsFile(path: path)
    let found = file.header.metadata["format"] ?? "none"
    guard found == format else {
      throw error("its format is \(found), where \(format) is wanted")
    }
    let version = file.header.metadata["version"] ?? "none"
    guard version == "\(ResultFile.version)" else {
      throw error(
        "it has version \(version), this program reads \(ResultFile.version): make it again")
    }
  }

  func error(_ reason: String) -> ResultFileError {
    ResultFileError(path: file.path.string, reason: reason)
  }

  // MARK: Metadata

  func has(_ key: String) -> Bool { file.header.metadata[key] != nil }

  func text(_ key: String) throws -> String {
    guard let text = file.header.metadata[key] else { throw error("its metadata lack \(key)") }
    return text
  }

  func count(_ key: String) throws -> Int {
    guard let count = Int(try text(key)), count > 0 else {
      throw error("its \(key) is no positive number")
    }
    return count
  }

  func number(_ key: String) throws -> Double {
    guard let number = Double(try text(key)), number.isFinite else {
      throw error("its \(key) is no number")
    }
    return number
  }

  func flag(_ key: String) throws -> Bool {
    guard let flag = Bool(try text(key)) else { throw error("its \(key) is not true or false") }
    return flag
  }

  func digest(_ key: String) throws -> Digest {
    guard let digest = Digest(hexadecimal: try text(key)) else {
      throw error("its \(key) is no SHA-256")
    }
    return digest
  }

  func shape() throws -> ModelShape {
    guard let shape = ShapeText.decode(try text("shape")) else {
      throw error("the shape in its metadata cannot be read")
    }
    return shape
  }

  // MARK: Tensors

  func hasTensor(_ name: String) -> Bool { file.tensor(name) != nil }

  func float64(_ name: String, count: Int) throws -> [Double] {
    let values = try tensor(name, .float64, count).float64Values()
    guard values.allSatisfy(\.isFinite) else { throw error("\(name) holds what is no number") }
    return values
  }

  func flags(_ name: String, count: Int) throws -> [Bool] {
    let bytes = try tensor(name, .uint8, count).bytes
    guard bytes.allSatisfy({ $0 <= 1 }) else { throw error("\(name) holds other than 0 and 1") }
    return bytes.map { $0 == 1 }
  }

  /// Numbers as they lie in the file, little-endian.
  func values<Number: FixedWidthInteger>(
    _ name: String, _ type: ElementType, count: Int, as _: Number.Type
  ) throws -> [Number] {
    try values(name, type, 0..<count, of: count, as: Number.self)
  }

  /// Some of them.
  ///
  /// - Parameter count: of all.
  func values<Number: FixedWidthInteger>(
    _ name: String, _ type: ElementType, _ range: Range<Int>, of count: Int, as _: Number.Type
  ) throws -> [Number] {
    let view = try tensor(name, type, count)
    return range.map {
      view.bytes.loadUnaligned(
        fromByteOffset: $0 * MemoryLayout<Number>.size, as: Number.self)
    }
  }

  func tensor(_ name: String, _ type: ElementType, _ count: Int) throws -> TensorView {
    try tensor(name, type, shape: [count])
  }

  func tensor(_ name: String, _ type: ElementType, shape: [Int]) throws -> TensorView {
    guard let view = file.tensor(name) else { throw error("it lacks \(name)") }
    guard view.elementType == type, view.shape == shape else {
      throw error(
        "\(name) is \(view.elementType.rawValue) \(view.shape), where \(type.rawValue) \(shape) "
          + "is wanted")
    }
    return view
  }
}
