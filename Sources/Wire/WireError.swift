/// What is wrong with a message or payload that a peer sent.
public enum WireError: Error, Hashable, Sendable {
  /// A message of no frames, or of more than `Limits.framesPerMessage`.
  case frameCount(found: Int)
  /// A frame that is longer than its limit.
  case frameTooLong(frame: Int, byteCount: Int, limit: Int)
  /// A header that is no protobuf message, or whose parts take more than
  /// `Limits.unpackedHeaderBytes`.
  case malformedHeader(byteCount: Int)
  /// A header of none of the kinds that this version knows.
  case unknownMessage
  /// A part of a header that is absent.
  case missing(field: String)
  /// A part of a header with an impossible value.
  case invalid(field: String, reason: String)
  /// Raw frames that do not hold what the header says.
  case rawByteCount(of: String, expected: Int, found: Int)
  /// A payload that is not as long as the model's shape asks for.
  case payloadByteCount(of: String, expected: Int, found: Int)
}

extension WireError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .frameCount(let found):
      "message of \(found) frames, which is none or too many; check that the peer is a flap program"
    case .frameTooLong(let frame, let byteCount, let limit):
      "frame \(frame) of a message holds \(byteCount) bytes, above the limit of \(limit); "
        + "use the same version on every host"
    case .malformedHeader(let byteCount):
      "message header of \(byteCount) bytes cannot be unpacked; "
        + "use the same version on every host"
    case .unknownMessage:
      "message of an unknown kind; use the same version on every host"
    case .missing(let field):
      "message without \(field); use the same version on every host"
    case .invalid(let field, let reason):
      "message with an impossible \(field) (\(reason)); use the same version on every host"
    case .rawByteCount(let what, let expected, let found):
      "message with \(found) bytes of \(what) instead of \(expected); "
        + "use the same version on every host"
    case .payloadByteCount(let what, let expected, let found):
      "\(what) of \(found) bytes instead of \(expected); "
        + "use the same model and version on every host"
    }
  }
}
