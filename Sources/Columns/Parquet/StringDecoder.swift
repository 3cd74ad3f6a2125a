/// The strings of a page in one of the encodings of byte arrays (`Encodings.md`).
enum StringDecoder {
  case plain(ByteReader)
  case indices(RunLengthDecoder, StringDictionary, origin: Int)
  /// Lengths first, then all strings.
  case lengths(DeltaLengths, ByteReader)
  /// How much each has in common with the one before, and the lengths and bytes of what differs.
  case prefixes(DeltaLengths, DeltaLengths, ByteReader, previous: [UInt8])

  /// - Parameters:
  ///   - encoding: Encoding of `parquet.thrift`.
  ///   - valueLimit: most strings that the page has.
  init(
    encoding: Int, _ bytes: UnsafeRawBufferPointer, valueLimit: Int,
    dictionary: StringDictionary?, origin: Int
  ) throws(ColumnsError) {
    var reader = ByteReader(bytes, part: "a page", origin: origin)
    switch encoding {
    case 0: self = .plain(reader)
    case 2, 8:
      guard let dictionary else {
        throw .damaged(part: "a page without its dictionary", offset: origin)
      }
      // Without values there is no width, either.
      let bitWidth = reader.remainingCount == 0 ? 0 : Int(try reader.byte())
      guard bitWidth <= 32 else { throw reader.damaged }
      self = .indices(
        RunLengthDecoder(reader.rest(), bitWidth: bitWidth, origin: origin), dictionary,
        origin: origin)
    case 6:
      let lengths = try DeltaLengths(&reader, limit: valueLimit)
      self = .lengths(lengths, reader)
    case 7:
      let prefixes = try DeltaLengths(&reader, limit: valueLimit)
      let suffixes = try DeltaLengths(&reader, limit: valueLimit)
      self = .prefixes(prefixes, suffixes, reader, previous: [])
    default: throw .unsupported(feature: "pages in the encoding \(encoding)")
    }
  }

  mutating func next() throws(ColumnsError) -> [UInt8] {
    switch self {
    case .plain(var reader):
      let text = Array(try reader.take(Int(try reader.uint32())))
      self = .plain(reader)
      return text
    case .indices(var indices, let dictionary, let origin):
      guard let text = dictionary.string(try indices.next()) else {
        throw .damaged(part: "an index into a dictionary", offset: origin)
      }
      self = .indices(indices, dictionary, origin: origin)
      return text
    case .lengths(var lengths, var reader):
      let text = Array(try reader.take(try lengths.next()))
      self = .lengths(lengths, reader)
      return text
    case .prefixes(var prefixes, var suffixes, var reader, let previous):
      let count = try prefixes.next()
      guard count <= previous.count else { throw reader.damaged }
      let text = previous.prefix(count) + (try reader.take(try suffixes.next()))
      self = .prefixes(prefixes, suffixes, reader, previous: Array(text))
      return Array(text)
    }
  }
}
