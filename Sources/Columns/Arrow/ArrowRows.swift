/// A column of strings of one record batch.
struct ArrowRows {
  let count: Int
  private let values: Values

  private indirect enum Values {
    case strings(ArrowStrings)
    case indices(Block, ArrowField.Dictionary, validity: Validity, [[UInt8]?])
    case lists(ArrowOffsets, validity: Validity, ArrowStrings)
    case records(ArrowOffsets, validity: Validity, [(name: String, strings: ArrowStrings)])
  }

  private let damaged: ColumnsError

  init(
    _ fields: [ArrowField], column: Int, dictionary: [[UInt8]?]?, _ batch: ArrowBatch
  ) throws(ColumnsError) {
    damaged = batch.damaged
    var place = ArrowBatch.Place()
    for field in fields[..<column] { try batch.skip(field, from: &place) }
    let field = fields[column]
    count = try batch.length(place.node)
    let validity = try Validity(try batch.buffer(place.buffer), count: count, batch)
    if let encoding = field.dictionary {
      let indices = try batch.buffer(place.buffer + 1)
      guard let dictionary else {
        throw .damaged(part: "a record batch without its dictionary", offset: batch.offset)
      }
      guard indices.bytes.count / encoding.indexBytes >= count else { throw damaged }
      values = .indices(indices, encoding, validity: validity, dictionary)
    } else if case .list(let offsetBytes) = field.layout, let child = field.children.first {
      let offsets = try ArrowOffsets(
        try batch.buffer(place.buffer + 1), offsetBytes, count: count, batch)
      // The list has a node and two buffers.
      var inner = place
      inner.node += 1
      inner.buffer += 2
      if child.isText {
        values = .lists(offsets, validity: validity, try ArrowStrings(child, inner, batch))
      } else {
        // A structure has a node and a buffer.
        inner.node += 1
        inner.buffer += 1
        var fields: [(name: String, strings: ArrowStrings)] = []
        for field in child.children {
          if field.isText, field.dictionary == nil {
            fields.append((field.name, try ArrowStrings(field, inner, batch)))
          }
          try batch.skip(field, from: &inner)
        }
        values = .records(offsets, validity: validity, fields)
      }
    } else {
      values = .strings(try ArrowStrings(field, place, batch))
    }
  }

  /// - Precondition: a row below `count`.
  func cell(_ row: Int) throws(ColumnsError) -> Cell {
    switch values {
    case .strings(let strings): return try strings.string(row).map { .text($0) } ?? .null
    case .indices(let block, let encoding, let validity, let dictionary):
      guard validity.isThere(row) else { return .null }
      guard let index = encoding.index(block.bytes, row), dictionary.indices.contains(index) else {
        throw damaged
      }
      return dictionary[index].map { .text($0) } ?? .null
    case .lists(let offsets, let validity, let strings):
      guard validity.isThere(row) else { return .null }
      var texts: [[UInt8]] = []
      var byteCount = 0
      for index in try elements(offsets, row, strings) {
        guard let text = try strings.string(index, &byteCount) else { continue }
        texts.append(text)
      }
      return .texts(texts)
    case .records(let offsets, let validity, let fields):
      guard validity.isThere(row) else { return .null }
      var records: [[String: [UInt8]]] = []
      var byteCount = 0
      for (number, field) in fields.enumerated() {
        let range = try elements(offsets, row, field.strings)
        if number == 0 { records = Array(repeating: [:], count: range.count) }
        for index in range {
          records[index - range.lowerBound][field.name] =
            try field.strings.string(index, &byteCount)
        }
      }
      return .records(records)
    }
  }

  private func elements(
    _ offsets: ArrowOffsets, _ row: Int, _ strings: ArrowStrings
  ) throws(ColumnsError) -> Range<Int> {
    let range = try offsets.range(row, limit: strings.count)
    guard range.count <= ColumnLimits.valuesPerRow else {
      throw strings.tooLarge("a row", range.count, ColumnLimits.valuesPerRow)
    }
    return range
  }
}

extension ArrowField.Dictionary {
  fileprivate func index(_ bytes: UnsafeRawBufferPointer, _ row: Int) -> Int? {
    let offset = row * indexBytes
    return switch (indexBytes, isSigned) {
    case (1, true): Int(bytes.number(at: offset, as: Int8.self))
    case (1, false): Int(bytes.number(at: offset, as: UInt8.self))
    case (2, true): Int(bytes.number(at: offset, as: Int16.self))
    case (2, false): Int(bytes.number(at: offset, as: UInt16.self))
    case (4, true): Int(bytes.number(at: offset, as: Int32.self))
    case (4, false): Int(bytes.number(at: offset, as: UInt32.self))
    default: Int(exactly: bytes.number(at: offset, as: Int64.self))
    }
  }
}

/// Which rows are not null: a bit each; without bits, all.
struct Validity {
  private let bits: Block

  init(_ bits: Block, count: Int, _ batch: ArrowBatch) throws(ColumnsError) {
    guard bits.bytes.isEmpty || bits.bytes.count >= (count + 7) / 8 else { throw batch.damaged }
    self.bits = bits
  }

  func isThere(_ row: Int) -> Bool {
    bits.bytes.isEmpty || bits.bytes[row / 8] >> UInt8(row % 8) & 1 == 1
  }
}

/// Where the parts of each row begin and end.
struct ArrowOffsets {
  private let block: Block
  private let byteCount: Int
  private let damaged: ColumnsError

  /// - Parameters:
  ///   - byteCount: of an offset, 4 or 8.
  ///   - count: of rows.
  init(_ block: Block, _ byteCount: Int, count: Int, _ batch: ArrowBatch) throws(ColumnsError) {
    damaged = batch.damaged
    // Without rows there may be no offsets.
    guard count == 0 || block.bytes.count / byteCount > count else { throw damaged }
    self.block = block
    self.byteCount = byteCount
  }

  /// - Parameter limit: where the last may end.
  func range(_ row: Int, limit: Int) throws(ColumnsError) -> Range<Int> {
    let (start, end) = (offset(row), offset(row + 1))
    guard start >= 0, end >= start, end <= limit else { throw damaged }
    return start..<end
  }

  private func offset(_ index: Int) -> Int {
    byteCount == 4
      ? Int(block.bytes.number(at: 4 * index, as: Int32.self))
      : Int(block.bytes.number(at: 8 * index, as: Int64.self))
  }
}
