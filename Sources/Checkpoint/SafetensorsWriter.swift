internal import FlapCore
public import Storage
public import SystemPackage

/// Writes a safetensors file in one go: header first, then the tensors in the declared order.
///
/// The bytes depend on the declarations and the contents alone; the header is the compact JSON
/// that the Python package writes for the same order.
public struct SafetensorsWriter<File: ByteOutput & ~Copyable>: ~Copyable {
  private var file: File
  private let byteCount: Int
  private var written = 0

  public init(
    to file: consuming File, tensors: [TensorDeclaration],
    metadata: [String: String] = ["format": "pt"]
  ) throws(StorageError) {
    byteCount = tensors.reduce(0) { $0 + $1.byteCount }
    var file = file
    try file.write(SafetensorsHeaderText.bytes(tensors, metadata))
    self.file = file
  }

  /// Appends bytes of the next tensor, whole or in pieces.
  public mutating func append(_ bytes: UnsafeRawBufferPointer) throws(StorageError) {
    written += bytes.count
    precondition(written <= byteCount, "more bytes than were declared")
    try file.write(bytes)
  }

  /// The complete file.
  ///
  /// - Precondition: every declared byte was appended.
  public consuming func finish() -> File {
    precondition(written == byteCount, "fewer bytes than were declared")
    return file
  }
}

extension SafetensorsWriter where File == AtomicFile {
  public init(
    destination: FilePath, attempt: String = "0", tensors: [TensorDeclaration],
    metadata: [String: String] = ["format": "pt"]
  ) throws(StorageError) {
    try self.init(
      to: AtomicFile(destination: destination, attempt: attempt), tensors: tensors,
      metadata: metadata)
  }

  /// - Precondition: every declared byte was appended.
  public consuming func commit() throws(StorageError) -> CommittedFile { try finish().commit() }
}

private enum SafetensorsHeaderText {
  static func bytes(_ tensors: [TensorDeclaration], _ metadata: [String: String]) -> [UInt8] {
    var entries: [String] = []
    if !metadata.isEmpty {
      let pairs = metadata.sorted { $0.key < $1.key }
      entries.append(
        "\"__metadata__\":{"
          + pairs.map { "\(quoted($0.key)):\(quoted($0.value))" }.joined(separator: ",") + "}")
    }
    var offset = 0
    for tensor in tensors {
      let shape = tensor.shape.map(String.init).joined(separator: ",")
      entries.append(
        "\(quoted(tensor.name)):{\"dtype\":\"\(tensor.elementType.rawValue)\",\"shape\":[\(shape)],"
          + "\"data_offsets\":[\(offset),\(offset + tensor.byteCount)]}")
      offset += tensor.byteCount
    }
    var json = Array("{\(entries.joined(separator: ","))}".utf8)
    // Padded with spaces, so that the tensors begin at a multiple of 8.
    while json.count % 8 != 0 { json.append(UInt8(ascii: " ")) }
    return withUnsafeBytes(of: UInt64(json.count).littleEndian) { Array($0) } + json
  }

  private static func quoted(_ text: String) -> String {
    var quoted = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": quoted += "\\\""
      case "\\": quoted += "\\\\"
      case "\n": quoted += "\\n"
      case "\r": quoted += "\\r"
      case "\t": quoted += "\\t"
      case _ where scalar.value < 0x20:
        quoted += "\\u00" + (scalar.value < 0x10 ? "0" : "") + String(scalar.value, radix: 16)
      default: quoted.unicodeScalars.append(scalar)
      }
    }
    return quoted + "\""
  }
}
