/// Why a file of columns cannot be read, where, and what to do. Offsets count bytes of the file.
public enum ColumnsError: Error, Hashable, Sendable {
  /// It does not begin or end as its format does.
  case otherFormat(expected: String)
  /// Something reaches beyond the end of the file, or of what holds it.
  case cutOff(part: String, offset: Int)
  case damaged(part: String, offset: Int)
  /// It declares more than is read.
  case tooLarge(part: String, declared: Int, limit: Int, offset: Int)
  /// The format allows it, and it is not read here.
  case unsupported(feature: String)
}

extension ColumnsError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .otherFormat(let expected):
      "it is not \(expected), or is cut off: copy or download it again"
    case .cutOff(let part, let offset):
      "\(part) at byte \(offset) reaches beyond its end: copy or download it again"
    case .damaged(let part, let offset):
      "\(part) at byte \(offset) is damaged: copy or download it again"
    case .tooLarge(let part, let declared, let limit, let offset):
      "\(part) at byte \(offset) declares \(declared), and at most \(limit) are read: write the file "
        + "again with smaller row groups"
    case .unsupported(let feature):
      "it has \(feature), which are not read; write it again: python3 -c \"import pyarrow.parquet as p, "
        + "sys; p.write_table(p.read_table(sys.argv[1]), sys.argv[2])\" OLD NEW"
    }
  }
}
