/// Why bytes are not a safetensors file (github.com/huggingface/safetensors, `README.md`, Format).
public enum SafetensorsError: Error, Hashable, Sendable {
  case shorterThanLengthField
  case headerTooLong(UInt64)
  case headerBeyondFile(UInt64)
  case notJSON(position: Int)
  case duplicateName(String)
  case missingField(tensor: String, field: String)
  case unknownField(tensor: String, field: String)
  case unknownType(tensor: String, type: String)
  case invalidNumber(tensor: String)
  case shapeTooLarge(tensor: String)
  case reversedOffsets(tensor: String)
  case offsetsBeyondBuffer(tensor: String)
  case wrongSize(tensor: String)
  /// Bytes of the buffer that belong to two tensors or to none, before this one.
  case overlapOrHole(tensor: String)
  case trailingBytes(Int)
}

extension SafetensorsError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .shorterThanLengthField: "shorter than the 8 bytes of its header's length"
    case .headerTooLong(let count): "a header of \(count) bytes, more than the format allows"
    case .headerBeyondFile(let count):
      "truncated: its header of \(count) bytes reaches beyond the end"
    case .notJSON(let position): "its header is not the JSON that belongs there (byte \(position))"
    case .duplicateName(let name): "its header names \(name) twice"
    case .missingField(let tensor, let field): "tensor \(tensor) has no \(field)"
    case .unknownField(let tensor, let field): "tensor \(tensor) has an unknown field \(field)"
    case .unknownType(let tensor, let type):
      "tensor \(tensor) has the type \(type), which is not known"
    case .invalidNumber(let tensor):
      "tensor \(tensor) has a shape or offset that is no natural number"
    case .shapeTooLarge(let tensor): "tensor \(tensor) has a shape too large for any memory"
    case .reversedOffsets(let tensor): "tensor \(tensor) ends before it begins"
    case .offsetsBeyondBuffer(let tensor): "truncated: tensor \(tensor) reaches beyond the end"
    case .wrongSize(let tensor): "tensor \(tensor) has offsets that do not match its shape and type"
    case .overlapOrHole(let tensor): "tensor \(tensor) does not begin where the one before it ends"
    case .trailingBytes(let count): "\(count) bytes after its last tensor"
    }
  }
}
