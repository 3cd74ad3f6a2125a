internal import CZeroMQ

/// The text form of keys (ZeroMQ RFC 32): 5 characters for 4 bytes.
enum Z85 {
  static let keyByteCount = 32
  static let keyCharacterCount = 40

  /// `zmq_z85_encode`.
  ///
  /// - Precondition: 32 bytes.
  static func encode(key bytes: [UInt8]) -> String {
    precondition(bytes.count == keyByteCount, "A key has 32 bytes.")
    var text = [CChar](repeating: 0, count: keyCharacterCount + 1)
    zmq_z85_encode(&text, bytes, bytes.count)
    return string(text)
  }

  /// `zmq_z85_decode`.
  ///
  /// - Returns: 32 bytes, or nil when `text` is not the Z85 form of as many. Each key has one
  ///   text only.
  static func decodeKey(_ text: String) -> [UInt8]? {
    // A zero byte would end the text for C before its 40 characters.
    guard text.utf8.count == keyCharacterCount, !text.utf8.contains(0) else { return nil }
    var bytes = [UInt8](repeating: 0, count: keyByteCount)
    return zmq_z85_decode(&bytes, text) == nil ? nil : bytes
  }

  /// The bytes before the zero that ends a C string.
  static func string(_ text: [CChar]) -> String {
    String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
  }
}
